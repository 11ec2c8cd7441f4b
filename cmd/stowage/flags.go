package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"stowage/hw/unit"
	"stowage/sim/placement"
)

// choice is a flag that takes one of a few words.
type choice struct {
	value string
	known []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return strings.Join(c.known, "|") }

func (c *choice) Set(s string) error {
	if !slices.Contains(c.known, s) {
		hint := ""
		if n := unit.Nearest(s, c.known); n != "" {
			hint = fmt.Sprintf("; did you mean %q?", n)
		}
		return fmt.Errorf("%q is none of %s%s", s, strings.Join(c.known, ", "), hint)
	}
	c.value = s
	return nil
}

// complete offers words for a flag in shell completion.
func complete(c *cobra.Command, flag string, words []string) {
	if err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag does not exist: a bug of ours
	}
}

// placementHelp lists the placement policies with their titles for completion.
func placementHelp() []string {
	var words []string
	for _, p := range placement.Policies {
		words = append(words, p.Name+"\t"+p.Title)
	}
	return words
}

// tomlFiles completes scenario files.
func tomlFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"toml"}, cobra.ShellCompDirectiveFilterFileExt
}

// terminalWidth returns the columns to fit tables into: COLUMNS where it is set,
// else 0 (the report's default).
func terminalWidth(w io.Writer) int {
	if f, ok := w.(*os.File); !ok || f == nil {
		return 0
	}
	n, err := strconv.Atoi(os.Getenv("COLUMNS"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}
