package reports

import (
	"io"

	"stowage/sim"
)

// summaryJobs says what each of several jobs reached alone and together.
func summaryJobs(w io.Writer, r *sim.Result, width int) error {
	if len(r.Jobs) == 0 {
		return nil
	}
	return jobsGrid(r).render(w, width)
}

func jobsGrid(r *sim.Result) *grid {
	g := &grid{columns: []column{{"job", false, true}, {"devices", true, false}, {"rounds", true, false}, {"alone", true, false}, {"together", true, false}, {"slowdown", true, false}, {"until", true, false}}}
	for i := range r.Jobs {
		j := &r.Jobs[i]
		g.add(printable(j.Name), formatCount(int64(j.Devices)), formatCount(int64(j.Rounds)), formatSI(j.Alone)+" samples/s", formatSI(j.Throughput)+" samples/s", formatNumber(j.Slowdown)+" x", formatDuration(j.End))
	}
	return g
}

// jobsSection is what the page of a run says of the jobs beside it.
func jobsSection(r *sim.Result) section {
	s := section{ID: "jobs", Title: "Jobs on one cluster"}
	if len(r.Jobs) > 0 {
		s.Lede = "What each job reaches alone, and beside the others, with which it shares the links of the network."
		s.Parts = []part{{Table: tableOf("Jobs on one cluster", jobsGrid(r))}}
	}
	return s
}
