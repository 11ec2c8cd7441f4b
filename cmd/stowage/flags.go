package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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

// Set takes one of the known words.
func (c *choice) Set(s string) error {
	if !slices.Contains(c.known, s) {
		return fmt.Errorf("want one of %s%s", strings.Join(c.known, ", "), didYouMean("", s, c.known))
	}
	c.value = s
	return nil
}

// didYouMean returns "; did you mean "X"?", X being the nearest of the known
// words behind a prefix, or nothing.
func didYouMean(prefix, word string, known []string) string {
	if n := unit.Nearest(word, known); n != "" {
		return fmt.Sprintf("; did you mean %q?", prefix+n)
	}
	return ""
}

// suggestFlag adds the nearest flag to the complaint about an unknown one, and says what
// a flag wants that takes a number.
func suggestFlag(c *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	var number *strconv.NumError // of the library, where the value is no number
	if errors.As(err, &value) && errors.As(err, &number) {
		return fmt.Errorf("--%s %q: want a whole number", value.GetFlag().Name, value.GetValue())
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() != "" {
		return err
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return fmt.Errorf("%s: %w%s", c.Name(), err, didYouMean("--", unknown.GetSpecifiedName(), names))
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

// scenarioFiles asks for at least one scenario.
func scenarioFiles(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		first, _, _ := strings.Cut(strings.TrimSpace(c.Example), "\n")
		return fmt.Errorf("%s: no scenario given: name at least one file, as in %s", c.Name(), first)
	}
	return nil
}

// tomlFiles completes scenario files.
func tomlFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"toml"}, cobra.ShellCompDirectiveFilterFileExt
}

// terminalWidth returns the columns to fit tables into: COLUMNS where it is set,
// else 0 (the report's default).
func terminalWidth() int {
	n, err := strconv.Atoi(os.Getenv("COLUMNS"))
	if err != nil {
		return 0
	}
	return max(n, 0)
}
