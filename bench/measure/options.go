package main

import (
	"errors"
	"flag"
	"fmt"
	"time"
)

// Options is what was asked for, checked.
type Options struct {
	server      string
	credentials string // folder with ca.crt, admin.crt, admin.key
	audit       string
	out         string
	user        string // the controller's, as the audit log calls it
	images      [2]string
	only        string
	rounds      int
	blocks      int
	quiet       time.Duration
}

func parseOptions(args []string) (Options, error) {
	var o Options
	flags := flag.NewFlagSet("measure", flag.ContinueOnError)
	flags.StringVar(&o.server, "server", "https://127.0.0.1:6443", "address of the apiserver")
	flags.StringVar(&o.credentials, "credentials", "", "folder with ca.crt, admin.crt and admin.key")
	flags.StringVar(&o.audit, "audit", "", "audit log of the apiserver, at level Metadata")
	flags.StringVar(&o.out, "out", "", "folder for the results")
	flags.StringVar(&o.user, "user", "", "user name of the Towpath controller")
	flags.StringVar(&o.images[0], "image", "", "image that the objects run at first, by digest")
	flags.StringVar(&o.images[1], "other-image", "", "image that they are changed to and back, by digest")
	flags.StringVar(&o.only, "only", "", "measure this contender only")
	flags.IntVar(&o.rounds, "rounds", 40, "changes of each object when all is settled, 1 to 1000")
	flags.IntVar(&o.blocks, "blocks", 2, "times 20 changes of each object in succession, 0 to 50")
	flags.DurationVar(&o.quiet, "quiet", 0, "only count what the Towpath controller asks for in this time, or until a signal")
	if err := flags.Parse(args); err != nil {
		return Options{}, err
	}
	if flags.NArg() > 0 {
		return Options{}, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	return o, o.check()
}

func (o Options) check() error {
	var problems []error
	for name, value := range map[string]string{
		"credentials": o.credentials, "audit": o.audit, "out": o.out, "user": o.user,
	} {
		if value == "" {
			problems = append(problems, fmt.Errorf("-%s must be given", name))
		}
	}
	if o.quiet == 0 && (o.images[0] == "" || o.images[1] == "" || o.images[0] == o.images[1]) {
		problems = append(problems, errors.New("-image and -other-image must be given and differ"))
	}
	if o.rounds < 1 || o.rounds > 1000 {
		problems = append(problems, errors.New("-rounds must be from 1 to 1000"))
	}
	if o.blocks < 0 || o.blocks > 50 {
		problems = append(problems, errors.New("-blocks must be from 0 to 50"))
	}
	return errors.Join(problems...)
}
