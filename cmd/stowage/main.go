// Stowage simulates training on clusters of unlike machines: which layer runs
// where, and which embedding rows sit in accelerator memory.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// version names this state of the code. Results carry it, so it changes with
// every change that moves numbers. It is a constant and not the commit that a
// build may or may not be stamped with: `go run` and `go build` of the same
// source write the same bytes.
const version = "0.3.0"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal asks, the second one kills
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes the command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	out := &output{Writer: stdout}
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(stderr)
	err := out.join(root.ExecuteContext(ctx))
	complain(stderr, err)
	return exitCode(err)
}

// helpWidth is how wide what flags do is set in help: as the text above it.
const helpWidth = 92

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "stowage",
		Short: "Simulate training on a mixed cluster: which layer where, which embedding rows in accelerator memory",
		Long: `Stowage is a discrete-event cluster simulator. It answers where each layer of a
model should run on a mixed fleet of CPUs, GPUs and other accelerators, and which
embedding rows should sit in accelerator memory, round after round.

Exit codes: 0 fine; 1 the experiment failed, was interrupted, or its results could
not be written; 2 the input is wrong.`,
		Example: `  stowage init
  stowage run scenario.toml
  stowage check scenarios/*.toml
  stowage list devices`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(suggestFlag)
	root.AddCommand(newInit(), newRun(), newCompare(), newBench(), newReplay(), newPlot(), newCheck(), newList(), newExplain(), newSchema())
	strictHelp(root)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", helpWidth)))
	return root
}

// strictHelp makes `help` of an unknown command an error like any other; cobra
// prints the usage and calls it fine.
func strictHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	help, _, err := root.Find([]string{"help"})
	if err != nil {
		panic(err) // cobra has a help command wherever there are subcommands
	}
	help.Args = func(_ *cobra.Command, args []string) error {
		_, _, err := root.Find(args)
		return err
	}
}
