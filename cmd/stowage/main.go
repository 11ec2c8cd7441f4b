// Stowage simulates training on clusters of unlike machines: which layer runs
// where, and which embedding rows sit in accelerator memory.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"stowage/scenarios"
)

// Exit codes.
const (
	exitFine   = 0
	exitFailed = 1 // the experiment failed or was interrupted
	exitInput  = 2 // the input is wrong
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run executes the command line and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitFine
	}
	fmt.Fprintln(stderr, "stowage:", err)
	if errors.Is(err, context.Canceled) || scenarios.IsInfeasible(err) || errors.Is(err, errFailed) {
		return exitFailed
	}
	return exitInput
}

// errFailed marks errors of an experiment whose input was right.
var errFailed = errors.New("the experiment failed")

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "stowage",
		Short: "Simulate training on a mixed cluster: which layer where, which embedding rows in accelerator memory",
		Long: `Stowage is a discrete-event cluster simulator. It answers where each layer of a
model should run on a mixed fleet of CPUs, GPUs and other accelerators, and which
embedding rows should sit in accelerator memory, round after round.`,
		Example: `  stowage run scenarios/ctr.toml
  stowage check scenarios/*.toml
  stowage list devices`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(newRun(), newCheck(), newList())
	return root
}

// version is the module's version, or the commit that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" || v == "(devel)" {
		v = releaseVersion
	}
	return v
}

// releaseVersion names builds from a work tree. Results carry it, so it changes
// with every change that moves numbers.
const releaseVersion = "0.1.0"
