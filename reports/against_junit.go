package reports

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
)

// The elements of a JUnit report, as CI systems read them: the schema is junit-10.xsd
// of Jenkins' xUnit plugin.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Failure *junitMessage `xml:"failure"`
		Error   *junitMessage `xml:"error"`
		Skipped *junitMessage `xml:"skipped"`
	}
	junitMessage struct {
		Type    string `xml:"type,attr,omitempty"`
		Message string `xml:"message,attr"`
	}
)

// AgainstJUnit writes a comparison as a JUnit report: a test suite for each scenario, a
// test for each metric of each pair of policies. What got worse is a failure, what could
// not be compared an error, what is new is skipped.
func AgainstJUnit(w io.Writer, a *Against) error {
	all := junitSuites{Name: "stowage bench"}
	for i := range a.Rows {
		r := &a.Rows[i]
		c := junitCase{Name: r.Metric.Name, Class: r.class()}
		if r.Verdict == Worsened {
			old, now := r.values()
			c.Failure = &junitMessage{Type: "worse", Message: fmt.Sprintf("%s: %s -> %s, %s, p=%s, n=%d, %d worse, limit %s",
				r.Metric.Name, old, now, r.delta(), r.probability(), r.N, r.Worse, r.Limit)}
		}
		all.add(r.Scenario, c)
	}
	for _, n := range a.Faults {
		all.add(n.Scenario, junitCase{Name: n.Text, Class: n.Scenario, Error: &junitMessage{Type: "not compared", Message: n.Text}})
	}
	for _, n := range a.Notes {
		all.add(n.Scenario, junitCase{Name: n.Text, Class: n.Scenario, Skipped: &junitMessage{Message: n.Text}})
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// class is what CI systems group tests by; they cut it at dots.
func (r *AgainstRow) class() string {
	class := r.Scenario + "." + r.Placement
	if r.Replacement != "" {
		class += "." + r.Replacement
	}
	return class
}

// add adds a test to the suite of a scenario.
func (s *junitSuites) add(scenario string, c junitCase) {
	if scenario == "" {
		scenario = "stowage"
	}
	if c.Class == "" {
		c.Class = scenario
	}
	i := slices.IndexFunc(s.Suites, func(one junitSuite) bool { return one.Name == scenario })
	if i < 0 {
		i = len(s.Suites)
		s.Suites = append(s.Suites, junitSuite{Name: scenario})
	}
	one := &s.Suites[i]
	one.Cases = append(one.Cases, c)
	one.Tests++
	s.Tests++
	if c.Failure != nil {
		one.Failures++
		s.Failures++
	}
	if c.Error != nil {
		one.Errors++
		s.Errors++
	}
	if c.Skipped != nil {
		one.Skipped++
	}
}
