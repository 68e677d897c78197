// Command fairlead is the whole product in one binary: the server, a tour of it,
// and the server's report of itself. It holds flags, wiring and signals; what is
// done, and how, is the packages' matter.
//
// Start reading at run.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/demo"
	"github.com/fairlead/fairlead/internal/server"
)

// version is set by the linker: -X main.version=v1.2.3.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal ends in order, a second one kills
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdout, os.Stderr}))
}

// streams is where commands write to.
type streams struct{ out, err io.Writer }

// commands is the command line.
type commands struct {
	Server    serverCmd    `cmd:"" help:"Run the server: the AWS APIs, DNS, and the load balancers' nodes."`
	Demo      demoCmd      `cmd:"" help:"Take the tour: a server, three targets and a load balancer with addresses out of a pool, all on this machine's loopback." set:"data_dir=a new one, removed at the end" set:"log_level=warn"` //nolint:staticcheck // kong reads every set tag
	Status    statusCmd    `cmd:"" help:"Show what a running server says of itself: its pools and its load balancers."`
	Pools     poolsCmd     `cmd:"" help:"Show all pools as a tree, with how full they are."`
	Map       mapCmd       `cmd:"" help:"Draw who holds what in a pool."`
	History   historyCmd   `cmd:"" help:"Show who has and had an address, and when."`
	Migration migrationCmd `cmd:"" help:"Show a load balancer's move to other addresses, watch it, or cancel it."`
	Events    eventsCmd    `cmd:"" help:"Show what the controllers decided, and why; --follow goes on with what is to come."`
	Audit     auditCmd     `cmd:"" help:"Show who asked the API for which changes, and how it answered."`
	Forecast  forecastCmd  `cmd:"" help:"Tell when a pool will be exhausted, and how sure that is."`
	Fsck      fsckCmd      `cmd:"" help:"Prove that the records of addresses fit together; with --repair, have done what is provably right."`
	Import    importCmd    `cmd:"" help:"Allocate what a CSV file or an export of NetBox names, all of it or nothing; tells first what it would do."`
	Export    exportCmd    `cmd:"" help:"Write pools and what is held in them, as CSV or JSON."`
	Instances instancesCmd `cmd:"" help:"List, add and remove the instances that target groups can have as targets."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

// run carries out the command line and returns the exit code: 0, or 1 after one
// line on the error stream that says what failed.
func run(ctx context.Context, args []string, std streams) int {
	if err := execute(ctx, args, std); err != nil {
		_, _ = fmt.Fprintf(std.err, "fairlead: %s\n", explain(err))
		return 1
	}
	return 0
}

func execute(ctx context.Context, args []string, std streams) error {
	command, err := parse(new(commands), args, std)
	if command == nil || err != nil {
		return err
	}
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run(std)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // interrupted, as asked
	}
	return err
}

// parse reads the command line into cmds and returns the command to run, nil if
// the help was asked for, which it then has written.
func parse(cmds *commands, args []string, std streams) (*kong.Context, error) {
	helped := false
	parser, err := kong.New(cmds,
		kong.Name("fairlead"),
		kong.Description("A load balancer with predictable public addresses, which speaks the AWS APIs."),
		kong.Writers(std.out, std.err),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		defaults(),
	)
	if err != nil {
		return nil, fmt.Errorf("command line: %w", err)
	}
	command, err := parser.Parse(args)
	if helped { // kong parses on where nothing ends the process
		return nil, nil
	}
	return command, err
}

// defaults are the settings' defaults as the help shows them.
func defaults() kong.Vars {
	d := config.Default()
	return kong.Vars{
		"data_dir": d.DataDir, "api_addr": d.APIAddr, "dns_addr": d.DNSAddr, "ops_addr": d.OpsAddr,
		"log_level": d.LogLevel, "log_format": d.LogFormat, "demo_port": fmt.Sprint(demo.DefaultPort),
	}
}

// explain returns an error as one line for people.
func explain(err error) string {
	if l, ok := errors.AsType[*server.ListenError](err); ok && errors.Is(l.Err, syscall.EADDRINUSE) {
		return fmt.Sprintf("address %s is in use; choose another with --%s", l.Addr, l.Flag)
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

type versionCmd struct{}

// Run prints the version, and what the binary was built with and for.
func (versionCmd) Run(std streams) error {
	_, err := fmt.Fprintf(std.out, "fairlead %s (%s %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
