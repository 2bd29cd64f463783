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
	text.WriteString("| changes | controller | what is measured | samples | p50 | p90 | p99 | max | p50, ours = 1 |\n|---|---|---|--:|--:|--:|--:|--:|--:|\n")
	for _, pace := range []Pace{settled, succession} {
		base := percentile(delays(samples, pace, ours), 50)
		for _, contender := range contenders("") {
			sorted := delays(samples, pace, contender.name)
			if len(sorted) > 0 {
				fmt.Fprintf(&text, "| %s | %s | %s | %d | %s | %s | %s | %s | %s |\n", pace, contender.name, contender.change, len(sorted),
					ms(percentile(sorted, 50)), ms(percentile(sorted, 90)), ms(percentile(sorted, 99)), ms(percentile(sorted, 100)),
					times(percentile(sorted, 50), base))
			}
		}
	}
	text.WriteString(`
"Settled": one object of each controller, changed in turn, each when nothing else is under way. "In succession": an object is
changed as soon as the write of its last change was seen, while pods still start and end.
`)
	for _, contender := range contenders("") {
		if lost := lost(samples, contender.name); lost > 0 {
			fmt.Fprintf(&text, "\n%d changes of %s were followed by no write within %s; they are in no figure.\n", lost, contender.name, patience)
		}
	}
	text.WriteString(parts(samples))
	text.WriteString(verdicts(samples))
	return text.String()
}

// parts says what of our delay, when all is settled, is before and after the revision.
func parts(samples []Sample) string {
	var toRevision, revision, after []time.Duration
	for _, sample := range samples {
		if sample.Before != nil && sample.Pace == settled {
			toRevision = append(toRevision, sample.Before.Received.Sub(sample.Change.Completed))
			revision = append(revision, sample.Before.Completed.Sub(sample.Before.Received))
			after = append(after, sample.Cause.Received.Sub(sample.Before.Completed))
		}
	}
	if len(after) == 0 {
		return ""
	}
	slices.Sort(toRevision)
	slices.Sort(revision)
	slices.Sort(after)
	return fmt.Sprintf("\nOurs, settled, at the median: %s until the revision is sent, %s until it is stored, %s until the Deployment is sent.\n",
		ms(percentile(toRevision, 50)), ms(percentile(revision, 50)), ms(percentile(after, 50)))
}

// verdicts says whether the aims are met.
func verdicts(samples []Sample) string {
	var text strings.Builder
	for _, pace := range []Pace{settled, succession} {
		mine, theirs := delays(samples, pace, ours), delays(samples, pace, rollouts)
		if len(mine) == 0 || len(theirs) == 0 {
			continue
		}
		p50 := percentile(mine, 50)
		if pace == settled {
			fmt.Fprintf(&text, "\nAim, settled: p50 under %s: %s.\n", ms(aimP50), met(p50 < aimP50))
		}
		fmt.Fprintf(&text, "\nAim, %s: p50 at least %d times sooner than Argo Rollouts: %s.\n", pace, aimRatio,
			met(percentile(theirs, 50) >= aimRatio*p50))
	}
	return text.String()
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

func delays(samples []Sample, pace Pace, contender string) []time.Duration {
	var found []time.Duration
	for _, sample := range samples {
		if sample.Contender == contender && sample.Pace == pace && !sample.Lost {
			found = append(found, sample.delay())
		}
	}
	slices.Sort(found)
	return found
}

func lost(samples []Sample, contender string) int {
	count := 0
	for _, sample := range samples {
		if sample.Contender == contender && sample.Lost {
			count++
		}
	}
	return count
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
	text.WriteString("contender,pace,changed,milliseconds\n")
	for _, sample := range samples {
		if sample.Lost {
			continue
		}
		fmt.Fprintf(&text, "%q,%s,%s,%.3f\n", sample.Contender, sample.Pace, sample.Change.Completed.Format(time.RFC3339Nano),
			float64(sample.delay().Microseconds())/1000)
	}
	return text.String()
}
