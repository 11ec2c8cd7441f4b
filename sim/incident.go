package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// LossCause is why a run's time was lost.
type LossCause int

// The causes, in the order of tables.
const (
	LostToCheckpoint LossCause = iota // rounds waited for a checkpoint
	LostToRedoing                     // work since the last checkpoint, when a device was lost
	LostToWaiting                     // for a device to be repaired
	LostToRestart
	LostToDetection       // until the job knew of a loss
	LostToReconfiguration // of the replicas, without some or with them again
	LostToTransfer        // of what was learned, to devices that have none of it
	lossCauses
)

// String names a cause.
func (c LossCause) String() string {
	return [...]string{"checkpoint", "redone", "waiting", "restart", "detection", "reconfiguration", "transfer"}[c]
}

// LostTime is the time that a run lost for one cause.
type LostTime struct {
	Cause string        `json:"cause"` // LossCause, in words
	Time  time.Duration `json:"time_ns"`
	Share float64       `json:"share"` // of the run's time
	Count int           `json:"count"` // how often
}

// Incident is one trouble of a run, or what was done about it.
type Incident struct {
	Kind  string        `json:"kind"` // straggler, link, loss, shrunk, checkpoint, or a cause of lost time
	Start time.Duration `json:"start_ns"`
	End   time.Duration `json:"end_ns"` // the run's end for what lasted longer
	What  string        `json:"what"`   // for people
}

// MaxIncidents bounds what a run keeps of checkpoints, losses and restarts; the figures
// of Lost are of all.
const MaxIncidents = 10_000

// goodputRatio is the share of the run's time in which the rounds were done that count.
func (run *Run) goodputRatio() float64 {
	lost := time.Duration(0)
	for _, l := range run.Lost {
		lost += l.Time
	}
	return 1 - share(lost, run.Elapsed)
}

// note keeps an incident.
func (run *Run) note(kind string, start, end time.Duration, format string, args ...any) {
	if len(run.Incidents) < MaxIncidents {
		run.Incidents = append(run.Incidents, Incident{kind, start, end, fmt.Sprintf(format, args...)})
	}
}

// incidents adds what was slow, and puts all in order.
func (t *training) incidents() {
	tr, run := t.job.Trouble, t.run
	if tr == nil {
		return
	}
	clip := func(kind string, from, until time.Duration, what string) {
		if until == 0 || until > run.Elapsed {
			until = run.Elapsed
		}
		if from < until {
			run.note(kind, from, until, "%s", what)
		}
	}
	for i := range tr.Stragglers {
		s := &tr.Stragglers[i]
		if s.count(t.seats) > 0 {
			clip("straggler", s.From, s.Until, t.describeStraggler(s))
		}
	}
	for i := range tr.Links {
		l := &tr.Links[i]
		clip("link", l.From, l.Until, fmt.Sprintf("%s: %.3g %% of its bandwidth", t.describeLink(l), 100*l.Factor))
	}
	slices.SortStableFunc(run.Incidents, func(a, b Incident) int { return cmp.Compare(a.Start, b.Start) })
}

func (t *training) describeStraggler(s *Straggler) string {
	var how []string
	if s.Factor > 1 {
		how = append(how, fmt.Sprintf("%.4g times as slow", s.Factor))
	}
	if s.Noise > 0 {
		how = append(how, fmt.Sprintf("noisy by %.3g %%", 100*s.Noise))
	}
	if len(how) == 0 {
		how = append(how, "as fast as ever")
	}
	text := t.describe(&s.Devices) + ": " + strings.Join(how, " and ")
	switch {
	case s.UntilRound > 0:
		text += fmt.Sprintf(" in rounds %d to %d", s.FromRound, s.UntilRound-1)
	case s.FromRound > 0:
		text += fmt.Sprintf(" from round %d on", s.FromRound)
	}
	return text
}

// describe names devices.
func (t *training) describe(d *Devices) string {
	if d.Stage >= 0 {
		return fmt.Sprintf("stage %d", d.Stage+1)
	}
	p := &t.job.Problem.Cluster.Pools[d.Pool]
	switch {
	case d.From == 0 && d.To >= p.Count:
		return "all of pool " + p.Name
	case d.To == d.From+1:
		return fmt.Sprintf("%s device %d", p.Name, d.From)
	}
	return fmt.Sprintf("%s devices %d to %d", p.Name, d.From, d.To-1)
}

// device names a device.
func (t *training) device(at place) string {
	s := &t.seats[at.stage]
	return fmt.Sprintf("%s device %d", t.job.Problem.Cluster.Pools[s.pool].Name, s.first+at.device)
}

func (t *training) describeLink(l *WeakLink) string {
	switch {
	case l.Name != "":
		return l.Name
	case l.Node < 0:
		return "the ports of all nodes of " + t.job.Problem.Cluster.Pools[l.Pool].Name
	}
	return fmt.Sprintf("the port of %s:%d", t.job.Problem.Cluster.Pools[l.Pool].Name, l.Node)
}
