package reports

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/perf/benchfmt"

	"stowage/sim"
)

// suiteOf makes a suite of one experiment with figures by seed.
func suiteOf(metric string, values ...float64) *Suite {
	k, _ := suiteKind(metric)
	s := &Suite{Version: "1.0"}
	for i, v := range values {
		s.Cases = append(s.Cases, SuiteCase{
			Scenario: "ctr", Hash: "abc", Placement: "genetic", Replacement: "lru", Seed: int64(i + 1),
			Metrics: sim.Metrics{{Name: metric, Unit: k.Unit, Value: v}, {Name: Feasible, Value: 1}},
		})
	}
	return s
}

func written(t *testing.T, s *Suite) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteSuite(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A suite is read as it was written, with every metric that there is and odd seeds.
func TestSuiteFile(t *testing.T) {
	s := &Suite{Version: "1.2.3"}
	for _, seed := range []int64{-1 << 63, -1, 0, 7} {
		c := SuiteCase{Scenario: "one", Hash: "12ab", Placement: "genetic", Seed: seed}
		if seed == 7 {
			c.Scenario, c.Hash, c.Replacement = "a-8", "34cd", "s3-fifo"
		}
		for i, name := range SuiteMetrics() {
			k, _ := suiteKind(name)
			c.Metrics = append(c.Metrics, sim.Metric{Name: name, Unit: k.Unit, Value: 1.1e-7 * float64(i*i*i*i+1)})
		}
		s.Cases = append(s.Cases, c)
	}
	text := written(t, s)
	back, err := ReadSuite("x.txt", text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, back); diff != "" {
		t.Errorf("%s\n%s", diff, text)
	}
	// The reader of benchstat understands it: no line is bad, and every unit of a value
	// is declared.
	r := benchfmt.NewReader(bytes.NewReader(text), "x.txt")
	results := 0
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Error(rec)
		case *benchfmt.Result:
			results++
			units := benchfmt.UnitMetadataMap(r.Units())
			for _, v := range rec.Values {
				if exact := units.Get(v.Unit, "assume"); (exact != nil) != (v.Unit != "search-time-sec") {
					t.Errorf("unit %s: assume = %v", v.Unit, exact)
				}
				if better := units.GetBetter(v.Unit); better == 0 && v.Unit != "peak-slots-slots" {
					t.Errorf("unit %s has no better way", v.Unit)
				}
			}
		}
	}
	if results != 4 {
		t.Errorf("%d results", results)
	}
}

func TestForeignSuites(t *testing.T) {
	good := string(written(t, suiteOf("throughput", 1, 2)))
	head := suiteHead + "1.0\n"
	for _, c := range []struct {
		text, want string
		foreign    bool
	}{
		{"", `x.txt:1: not written by stowage bench --save: the first line is ""`, true},
		{"BenchmarkFoo 1 2 ns/op\n", "x.txt:1: not written by stowage bench", true},
		{head, "x.txt: no benchmark line in it", false},
		{head + "BenchmarkFoo 1 2 ns/op\n", "x.txt:2: not written by stowage bench --save: BenchmarkFoo", true},
		{head + "BenchmarkStowage/scenario=a/placement=b/seed=1 1 2 samples/s\n", "want BenchmarkStowage/… below a line scenario-hash", true},
		{head + "scenario-hash: a\nBenchmarkStowage/scenario=a/placement=b 1 2 samples/s\n", "x.txt:3: line of BenchmarkStowage/scenario=a/placement=b: want ", false},
		{head + "scenario-hash: a\nBenchmarkStowage/scenario=a/placement=b/seed=x 1 2 samples/s\n", `x.txt:3: seed "x" is no number`, false},
		{head + "scenario-hash: a\nBenchmarkStowage/scenario=a/placement=b/seed=1 1 2 furlongs\n", `x.txt:3: unknown unit "furlongs"`, false},
		{good + good, "seed 1, a second time", false},
		{strings.Replace(good, " 1 1 samples", " 1 1,0 samples", 1), "x.txt:8: parsing measurement", false},
	} {
		_, err := ReadSuite("x.txt", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrForeign) != c.foreign {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		metric   string
		old, now []float64
		limit    string
		want     Verdict
	}{
		{"throughput", []float64{5, 6}, []float64{5, 6}, "", Same},
		{"throughput", []float64{5, 6}, []float64{5, 5.99}, "", Worsened},
		{"throughput", []float64{5, 6}, []float64{5, 5.99}, "throughput=1%", Tolerated},
		{"throughput", []float64{5, 6}, []float64{5, 5.99}, "all=0.01", Tolerated},
		{"throughput", []float64{5, 6}, []float64{5, 5.99}, "all=0.004", Worsened},
		{"throughput", []float64{5, 6}, []float64{1, 1}, "throughput=off", Tolerated},
		{"throughput", []float64{5, 6}, []float64{1, 1}, "cost=off,all=5%", Worsened},
		{"throughput", []float64{5, 6}, []float64{7, 6}, "", Improved},
		{"throughput", []float64{5, 6}, []float64{7, 5}, "", Improved}, // the mean
		{"throughput", []float64{5, 6}, []float64{6, 5}, "", Moved},
		{"throughput", []float64{5, 6}, []float64{5, 6 - 1e-9}, "", Tolerated}, // another processor
		{"cost", []float64{5}, []float64{6}, "", Worsened},
		{"cost", []float64{5}, []float64{4}, "", Improved},
		{"gap", []float64{0}, []float64{0.5}, "gap=5%", Worsened}, // 5 % of nothing
		{"gap", []float64{0}, []float64{1e-5}, "", Worsened},
		{"gap", []float64{0.1}, []float64{0.1 + 1e-7}, "", Tolerated}, // of a bound's last digits
		{"gap", []float64{0}, []float64{0.5}, "gap=0.5", Tolerated},
		{"peak_slots", []float64{5}, []float64{6}, "", Moved},                       // neither way is better
		{SearchTime, []float64{1, 2, 3, 4, 5}, []float64{2, 4, 6, 8, 10}, "", Same}, // 5 pairs prove nothing
		{SearchTime, []float64{1, 2, 3, 4, 5, 6}, []float64{2, 4, 6, 8, 10, 12}, "", Worsened},
		{SearchTime, []float64{1, 2, 3, 4, 5, 6}, []float64{1.05, 2.1, 3.1, 4.1, 5.1, 6.1}, "", Tolerated},
		{SearchTime, []float64{1, 2, 3, 4, 5, 6}, []float64{2, 4, 6, 8, 10, 12}, "all=0.1%,search_time=200%", Tolerated},
		{SearchTime, []float64{1, 2, 3, 4, 5, 6}, []float64{0.5, 1, 1.5, 2, 2.5, 3}, "", Improved},
		{SearchTime, []float64{1, 2, 3, 4, 5, 6}, []float64{2, 1, 4, 3, 6, 5}, "", Same},
	} {
		limits := Thresholds{}
		if c.limit != "" {
			if err := limits.Parse(c.limit); err != nil {
				t.Fatal(err)
			}
		}
		a := CompareSuites("x", suiteOf(c.metric, c.old...), suiteOf(c.metric, c.now...), limits)
		i := slices.IndexFunc(a.Rows, func(r AgainstRow) bool { return r.Metric.Name == c.metric })
		if r := a.Rows[i]; r.Verdict != c.want || a.Failed() != (c.want == Worsened) || len(a.Faults)+len(a.Notes) > 0 {
			t.Errorf("%s %v -> %v, %s: %s, failed %t, want %s", c.metric, c.old, c.now, c.limit, r.Verdict, a.Failed(), c.want)
		}
	}
}

func TestThresholdMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"throughput", `want METRIC=SHARE%`},
		{"troughput=1%", `unknown metric "troughput"; did you mean "throughput"?`},
		{"cost=", "cost=: want a share"}, {"cost=-1%", "want a share"}, {"cost=NaN", "want a share"}, {"cost=1e999%", "want a share"},
		{"cost=1%,gap=x", "gap=x: want a share"},
	} {
		if err := (Thresholds{}).Parse(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

// partial has a bit of everything that can be said of two suites.
func partial() *Against {
	old, now := suiteOf("throughput", 5, 6, 7), suiteOf("throughput", 5, 5, 7, 8)
	now.Version = "1.1"
	with := func(s *Suite, change func(c *SuiteCase)) {
		c := s.Cases[0]
		c.Metrics = slices.Clone(c.Metrics)
		change(&c)
		s.Cases = append(s.Cases, c)
	}
	with(old, func(c *SuiteCase) { c.Seed = 9 })
	with(old, func(c *SuiteCase) { c.Scenario = "changed" })
	with(now, func(c *SuiteCase) { c.Scenario, c.Hash = "changed", "def" })
	with(old, func(c *SuiteCase) { c.Placement = "gone" })
	with(now, func(c *SuiteCase) { c.Scenario = `new <&"*|` })
	with(old, func(c *SuiteCase) { c.Scenario = "fits no more" })
	with(now, func(c *SuiteCase) {
		c.Scenario, c.Metrics = "fits no more", sim.Metrics{{Name: Feasible, Value: 0}}
	})
	with(now, func(c *SuiteCase) { c.Scenario = "fits now" })
	with(old, func(c *SuiteCase) { c.Scenario, c.Metrics = "fits now", sim.Metrics{{Name: Feasible, Value: 0}} })
	with(old, func(c *SuiteCase) { c.Scenario = "lacks"; c.Metrics = append(c.Metrics, sim.Metric{Name: "gap"}) })
	with(now, func(c *SuiteCase) { c.Scenario = "lacks"; c.Metrics = append(c.Metrics, sim.Metric{Name: "bound"}) })
	return CompareSuites("base.txt", old, now, Thresholds{})
}

// Whatever is not compared is said; what is missing fails, what is new does not.
func TestNothingIsSkippedSilently(t *testing.T) {
	a := partial()
	var got []string
	for _, n := range a.Faults {
		got = append(got, "fault: "+n.Text)
	}
	for _, n := range a.Notes {
		got = append(got, "note: "+n.Text)
	}
	want := []string{
		"fault: the scenario changed has changed (hash abc, now def): its figures are not compared; save a new baseline",
		"fault: scenario=ctr/placement=genetic/replacement=lru: seed 9 is in the baseline and was not measured",
		"fault: scenario=ctr/placement=gone/replacement=lru is in the baseline and was not measured",
		"fault: scenario=fits_no_more/placement=genetic/replacement=lru, seed 1: no scheme fits now, so it has no figures",
		"fault: scenario=lacks/placement=genetic/replacement=lru, seed 1: the metric gap is in the baseline and is missing now",
		"note: the baseline is of version 1.0, this is 1.1",
		"note: scenario=ctr/placement=genetic/replacement=lru: seed 4 is new: the baseline does not have it",
		"note: scenario=fits_now/placement=genetic/replacement=lru, seed 1: a scheme fits now; the baseline has no figures of one",
		"note: scenario=lacks/placement=genetic/replacement=lru, seed 1: the metric bound is new: the baseline does not have it",
		`note: scenario=new_<&"*|/placement=genetic/replacement=lru is new: the baseline does not have it`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !a.Failed() || a.Count(Worsened) != 2 || a.Count(Improved) != 1 { // throughput; feasible of two scenarios
		t.Errorf("failed %t, %d worse, %d better", a.Failed(), a.Count(Worsened), a.Count(Improved))
	}
	fine := CompareSuites("x", suiteOf("gap", 1), suiteOf("gap", 1, 2), Thresholds{})
	if fine.Failed() || len(fine.Notes) != 1 {
		t.Errorf("a new seed: failed %t, notes %v", fine.Failed(), fine.Notes)
	}
}

func TestAgainstGolden(t *testing.T) {
	for _, c := range []struct {
		name  string
		write func(io.Writer, *Against) error
	}{
		{"against.txt", func(w io.Writer, a *Against) error { return AgainstSummary(w, a, 80) }},
		{"against.md", AgainstMarkdown},
		{"against.xml", AgainstJUnit},
	} {
		var b bytes.Buffer
		if err := c.write(&b, partial()); err != nil {
			t.Fatal(err)
		}
		golden(t, c.name, b.Bytes())
	}
}

// junitRules are those of the schema that CI systems check JUnit reports against
// (junit-10.xsd of Jenkins' xUnit plugin), for every element its parents, its
// attributes, and which of these it must have ("!").
var junitRules = map[string]struct{ parents, attributes []string }{
	"testsuites": {[]string{""}, []string{"name", "time", "tests", "failures", "errors"}},
	"testsuite":  {[]string{"", "testsuites", "testsuite"}, []string{"name!", "tests!", "failures!", "errors!", "group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"}},
	"testcase":   {[]string{"testsuite"}, []string{"name!", "time", "classname", "group"}},
	"failure":    {[]string{"testcase"}, []string{"type", "message"}},
	"error":      {[]string{"testcase"}, []string{"type", "message"}},
	"skipped":    {[]string{"testcase"}, []string{"type", "message"}},
	"properties": {[]string{"testsuite"}, nil},
	"property":   {[]string{"properties"}, []string{"name!", "value!"}},
	"system-out": {[]string{"testsuite", "testcase"}, nil},
	"system-err": {[]string{"testsuite", "testcase"}, nil},
}

// checkJUnit returns what the schema has against a report, and what its counts are.
func checkJUnit(data []byte) error {
	var path []string
	counted := map[string]int{}
	declared := map[string]int{}
	texts := []string{"failure", "error", "skipped", "system-out", "system-err"}
	for d := xml.NewDecoder(bytes.NewReader(data)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		switch e := token.(type) {
		case xml.StartElement:
			parent := ""
			if len(path) > 0 {
				parent = path[len(path)-1]
			}
			rule, ok := junitRules[e.Name.Local]
			if !ok || e.Name.Space != "" || !slices.Contains(rule.parents, parent) {
				return fmt.Errorf("<%s> in <%s>", e.Name.Local, parent)
			}
			given := map[string]bool{}
			for _, a := range e.Attr {
				given[a.Name.Local] = true
				if !slices.Contains(rule.attributes, a.Name.Local) && !slices.Contains(rule.attributes, a.Name.Local+"!") {
					return fmt.Errorf("<%s %s>", e.Name.Local, a.Name.Local)
				}
				if n, err := strconv.Atoi(a.Value); err == nil && e.Name.Local == "testsuite" {
					declared[a.Name.Local] += n
				}
			}
			for _, a := range rule.attributes {
				if must, ok := strings.CutSuffix(a, "!"); ok && !given[must] {
					return fmt.Errorf("<%s> without %s", e.Name.Local, must)
				}
			}
			counted[e.Name.Local]++
			path = append(path, e.Name.Local)
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			if len(path) > 0 && strings.TrimSpace(string(e)) != "" && !slices.Contains(texts, path[len(path)-1]) {
				return fmt.Errorf("text %q in <%s>", e, path[len(path)-1])
			}
		}
	}
	for _, c := range [][2]string{{"tests", "testcase"}, {"failures", "failure"}, {"errors", "error"}, {"skipped", "skipped"}} {
		if declared[c[0]] != counted[c[1]] {
			return fmt.Errorf("%s: %d declared, %d there", c[0], declared[c[0]], counted[c[1]])
		}
	}
	return nil
}

func TestJUnit(t *testing.T) {
	var b bytes.Buffer
	a := partial()
	if err := AgainstJUnit(&b, a); err != nil {
		t.Fatal(err)
	}
	if err := checkJUnit(b.Bytes()); err != nil {
		t.Errorf("%v\n%s", err, &b)
	}
	if n := strings.Count(b.String(), "<testcase"); n != len(a.Rows)+len(a.Faults)+len(a.Notes) {
		t.Errorf("%d tests of %d rows, %d faults, %d notes", n, len(a.Rows), len(a.Faults), len(a.Notes))
	}
	// The check sees what is wrong.
	for _, c := range []struct{ from, to string }{
		{` tests="`, ` test="`}, {`<testcase name`, `<testcase title`}, {`<failure type`, `<failure kind`},
		{`skipped="1"`, `skipped="2"`}, {"<error", "<fault"}, {"</testcase>", "x</testcase>"},
	} {
		bad := regexp.MustCompile(regexp.QuoteMeta(c.from)).ReplaceAllLiteralString(b.String(), c.to)
		if bad == b.String() || checkJUnit([]byte(bad)) == nil {
			t.Errorf("%s instead of %s is not seen", c.to, c.from)
		}
	}
}
