package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Aims of the project.
const (
	aimP50   = 20 * time.Millisecond
	aimRatio = 3
)

func writeResults(o Options, samples []Sample, tally Tally) error {
	problems := []error{
		os.WriteFile(filepath.Join(o.out, "delays.md"), []byte(delayTable(samples)), 0o644),
		os.WriteFile(filepath.Join(o.out, "samples.csv"), []byte(csv(samples)), 0o644),
	}
	if len(tally.reads) > 0 {
		problems = append(problems, os.WriteFile(filepath.Join(o.out, "writes.md"), []byte(writesTable(tally)), 0o644))
	}
	if excess := tally.excess(); len(excess) > 0 {
		problems = append(problems, errors.New("an update took more writes than allowed: "+strings.Join(excess, "; ")))
	}
	return errors.Join(problems...)
}

func delayTable(samples []Sample) string {
	var text strings.Builder
	text.WriteString("| controller | what is measured | samples | p50 | p90 | p99 | max | p50, ours = 1 |\n|---|---|--:|--:|--:|--:|--:|--:|\n")
	base := percentile(delays(samples, ours), 50)
	for _, contender := range contenders("") {
		sorted := delays(samples, contender.name)
		if len(sorted) == 0 {
			continue
		}
		fmt.Fprintf(&text, "| %s | %s | %d | %s | %s | %s | %s | %s |\n", contender.name, contender.change, len(sorted),
			ms(percentile(sorted, 50)), ms(percentile(sorted, 90)), ms(percentile(sorted, 99)), ms(percentile(sorted, 100)),
			times(percentile(sorted, 50), base))
	}
	text.WriteString(verdicts(samples))
	return text.String()
}

// verdicts says whether the aims are met, and what of our delay is before and after the revision.
func verdicts(samples []Sample) string {
	mine, theirs := delays(samples, ours), delays(samples, rollouts)
	if len(mine) == 0 {
		return ""
	}
	var toRevision, revision, after []time.Duration
	for _, sample := range samples {
		if sample.Before != nil {
			toRevision = append(toRevision, sample.Before.Received.Sub(sample.Change.Completed))
			revision = append(revision, sample.Before.Completed.Sub(sample.Before.Received))
			after = append(after, sample.Cause.Received.Sub(sample.Before.Completed))
		}
	}
	slices.Sort(toRevision)
	slices.Sort(revision)
	slices.Sort(after)
	p50 := percentile(mine, 50)
	text := fmt.Sprintf("\nOf ours, at the median: %s until the revision is sent, %s until it is stored, %s until the Deployment is sent.\n",
		ms(percentile(toRevision, 50)), ms(percentile(revision, 50)), ms(percentile(after, 50)))
	text += fmt.Sprintf("\nAim: p50 under %s: %s.", ms(aimP50), met(p50 < aimP50))
	if len(theirs) > 0 {
		text += fmt.Sprintf(" At least %d times sooner than Argo Rollouts: %s.", aimRatio, met(percentile(theirs, 50) >= aimRatio*p50))
	}
	return text + "\n"
}

func met(is bool) string {
	if is {
		return "met"
	}
	return "**not met**"
}

func writesTable(tally Tally) string {
	var text strings.Builder
	text.WriteString("| write | allowed | median | most |\n|---|--:|--:|--:|\n")
	for index, kind := range kinds {
		counts := slices.Sorted(slices.Values(tally.counts[index]))
		fmt.Fprintf(&text, "| %s | %d | %d | %d |\n", kind.name, kind.allowed, middle(counts), counts[len(counts)-1])
	}
	reads := slices.Sorted(slices.Values(tally.reads))
	fmt.Fprintf(&text, "\nOver %d updates. Beside them %d reads at the median, %d at most.\n", len(reads), middle(reads), reads[len(reads)-1])
	return text.String()
}

func middle(sorted []int) int { return sorted[(len(sorted)-1)/2] }

func delays(samples []Sample, contender string) []time.Duration {
	var found []time.Duration
	for _, sample := range samples {
		if sample.Contender == contender {
			found = append(found, sample.delay())
		}
	}
	slices.Sort(found)
	return found
}

// percentile is the smallest delay that at least that share of the sorted ones does not exceed.
func percentile(sorted []time.Duration, percent float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(percent / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

func ms(duration time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(duration.Microseconds())/1000)
}

func times(duration, base time.Duration) string {
	if base <= 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", float64(duration)/float64(base))
}

func csv(samples []Sample) string {
	var text strings.Builder
	text.WriteString("contender,changed,milliseconds\n")
	for _, sample := range samples {
		fmt.Fprintf(&text, "%q,%s,%.3f\n", sample.Contender, sample.Change.Completed.Format(time.RFC3339Nano),
			float64(sample.delay().Microseconds())/1000)
	}
	return text.String()
}
