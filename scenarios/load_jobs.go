package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"stowage/hw"
	"stowage/hw/spec"
)

// MaxJobs bounds the entries [[job]] of a scenario.
const MaxJobs = 64

// jobFile is an entry [[job]]: another training job on the same cluster at the same time.
type jobFile struct {
	Scenario string `toml:"scenario"` // its scenario, with the same cluster; a path, relative to this one
}

// jobs reads the entries [[job]]. They need the whole cluster.
func (b *builder) jobs() {
	if len(b.f.Job) == 0 {
		return
	}
	at := spec.Path{"job", 0}
	switch {
	case b.beside:
		b.fail(at, "it is beside another job itself: the scenario that is run names all of them")
		return
	case len(b.f.Job) > MaxJobs:
		b.fail(spec.Path{"job", MaxJobs}, "%d entries: at most MaxJobs = %d", len(b.f.Job), MaxJobs)
		return
	case b.sc.Cluster == nil:
		return
	case b.sc.Cluster.Network.Topology == hw.OwnPorts:
		b.fail(at, "jobs share the links of a [cluster.network]; without one every stage has ports of its own, and they would not meet")
		return
	}
	names := map[string]bool{b.sc.Name: true}
	for i := range b.f.Job {
		at := spec.Path{"job", i, "scenario"}
		if b.f.Job[i].Scenario == "" {
			b.missing(at, `path of another scenario, e.g. "other.toml"`)
			continue
		}
		path := b.resolve(b.f.Job[i].Scenario)
		if filepath.Clean(path) == filepath.Clean(b.path) {
			b.fail(at, "%q: it is this scenario itself, which runs anyhow: name another one", b.f.Job[i].Scenario)
			continue
		}
		job, err := loadBeside(path)
		if err != nil {
			b.fail(at, "%v", err)
			continue
		}
		if why := besideWhy(b.sc, job, names); why != "" {
			b.fail(at, "%q: %s", b.f.Job[i].Scenario, why)
		}
		names[job.Name] = true
		b.files = append(b.files, job.identity.files...)
		b.sc.Jobs = append(b.sc.Jobs, job)
	}
}

// loadBeside loads the scenario of another job.
func loadBeside(path string) (*Scenario, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(path, data, true)
}

// besideWhy says why a job cannot be beside a scenario; "": it can.
func besideWhy(s, job *Scenario, names map[string]bool) string {
	if names[job.Name] {
		return fmt.Sprintf("another job is called %q too: give it a name of its own", job.Name)
	}
	if job.Trouble != nil && len(job.Trouble.Links) > 0 {
		return "it has weak links, and links are those of all jobs: say so in the scenario that names the jobs"
	}
	a, b := s.Cluster, job.Cluster
	if len(a.Pools) != len(b.Pools) {
		return fmt.Sprintf("its cluster has %s, this one %s", plural(len(b.Pools), "pool"), plural(len(a.Pools), "pool"))
	}
	for i := range a.Pools {
		p, q := &a.Pools[i], &b.Pools[i]
		switch {
		case p.Name != q.Name || p.Device.Name != q.Device.Name:
			return fmt.Sprintf("pool %d of its cluster is %q of %s, here %q of %s", i, q.Name, q.Device.Name, p.Name, p.Device.Name)
		case p.Count != q.Count:
			return fmt.Sprintf("pool %q of its cluster has %s, here %d: say the whole cluster in both", p.Name, plural(q.Count, "device"), p.Count)
		case !reflect.DeepEqual(p.Node, q.Node) || p.Inside != q.Inside:
			return fmt.Sprintf("pool %q of its cluster is in other nodes, or has other links", p.Name)
		}
	}
	if !reflect.DeepEqual(a.Network, b.Network) {
		return fmt.Sprintf("its cluster has another network: %s, here %s", b.DescribeNetwork(), a.DescribeNetwork())
	}
	return ""
}
