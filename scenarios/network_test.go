package scenarios

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stowage/hw"
)

// networked is the scenario fine with a network and lines of it.
func networked(t *testing.T, lines string) (*Scenario, error) {
	t.Helper()
	return faulty(t, faultDir(t), "[training]\n", "[cluster.network]\n"+lines+"[training]\n")
}

func TestNetworks(t *testing.T) {
	for _, c := range []struct{ lines, want string }{
		{"topology = \"switch\"\n", "2 nodes at one switch"},
		{"topology = \"leaf-spine\"\nnodes_per_leaf = 1\nspines = 2\noversubscription = 4.0\n", "2 nodes at 2 leaf switches of 1, 2 spines, 4:1 oversubscribed"},
		{"topology = \"leaf-spine\"\nnodes_per_leaf = 8\n", "2 nodes at one leaf switch"},
		{"topology = \"fat-tree\"\n", "2 nodes in a fat tree of switches with 2 ports"},
		{"topology = \"rail\"\nnodes_per_leaf = 4\nspines = 1\nduplex = \"half\"\nhop_latency = \"1 us\"\n", "2 nodes on 8 rails, leaf switches of 4 nodes, 1 spine"},
		{"topology = \"links\"\n[[cluster.network.link]]\nfrom = \"xeon-6148:0\"\nto = \"tor\"\nbandwidth = \"10 GB/s\"\n[[cluster.network.link]]\nfrom = \"tor\"\nto = \"v100-16:0\"\nbandwidth = \"5 GB/s\"\nlatency = \"2 us\"\nduplex = \"half\"\n",
			"2 nodes joined by 2 listed links"},
	} {
		s, err := networked(t, c.lines)
		if err != nil {
			t.Errorf("%q: %v", c.lines, err)
			continue
		}
		if got := s.Cluster.DescribeNetwork(); got != c.want {
			t.Errorf("%q: %q, want %q", c.lines, got, c.want)
		}
		again, err := Parse("x.toml", []byte(s.Resolved()))
		if err != nil {
			t.Errorf("%q: resolved: %v", c.lines, err)
		} else if d := cmp.Diff(s.Cluster.Network, again.Cluster.Network); d != "" {
			t.Errorf("%q: resolved to another network: %s", c.lines, d)
		}
		if _, err := s.Run(context.Background(), "test"); err != nil {
			t.Errorf("%q: %v", c.lines, err)
		}
	}
}

// What is wrong with a network is said with its line and key.
func TestNetworkErrors(t *testing.T) {
	for _, c := range []struct{ lines, want string }{
		{"spines = 2\n", `:11:1: cluster.network: missing key "topology"`},
		{"topology = \"leaf\"\n", `:12:12: cluster.network.topology: unknown value "leaf"; did you mean "leaf-spine"? (known: switch, leaf-spine, fat-tree, rail, links)`},
		{"topology = \"switch\"\nspines = 2\n", `:13:10: cluster.network.spines: topology = "switch" has no spines`},
		{"topology = \"leaf-spine\"\n", `:11:1: cluster.network: missing key "nodes_per_leaf"`},
		{"topology = \"leaf-spine\"\nnodes_per_leaf = 0\n", `:13:18: cluster.network.nodes_per_leaf: 0: from 1 to 1048576`},
		{"topology = \"leaf-spine\"\nnodes_per_leaf = 1\noversubscription = 0.0\n", `:14:20: cluster.network.oversubscription: 0: above 0 and at most 1000`},
		{"topology = \"fat-tree\"\nswitch_ports = 3\n", `:13:16: cluster.network.switch_ports: 3: an even number`},
		{"topology = \"switch\"\nduplex = \"both\"\n", `:13:10: cluster.network.duplex: unknown value "both"`},
		{"topology = \"links\"\n", `:11:1: cluster.network: missing key "link"`},
		{"topology = \"links\"\n[[cluster.network.link]]\nfrom = \"tor\"\n", `cluster.network.link[0]: missing key "to"`},
		{"topology = \"links\"\n[[cluster.network.link]]\nfrom = \"tor\"\nto = \"v100-16:1\"\nbandwidth = \"1 GB/s\"\n", `:15:6: cluster.network.link[0].to: "v100-16:1": pool "v100-16" has nodes 0 to 0`},
		{"topology = \"links\"\n[[cluster.network.link]]\nfrom = \"tor\"\nto = \"v100-16:0\"\nbandwidth = \"1 GB/s\"\n", `:12:12: cluster.network.topology: node "v100-16:0" cannot reach node "xeon-6148:0"`},
	} {
		_, err := networked(t, c.lines)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n%v\nwant %q in it", c.lines, err, c.want)
		}
	}
}

func TestCollectiveErrors(t *testing.T) {
	dir := faultDir(t)
	for _, c := range []struct{ lines, want string }{
		{"collective = \"butterfly\"\n", `training.collective: unknown value "butterfly" (known: ring, tree, halving-doubling, hierarchical)`},
		{"collective = \"tree\"\nsync = \"ps\"\n", `training.collective: "tree": collectives are for sync = "ring", not "ps"`},
	} {
		_, err := faulty(t, dir, "rounds = 3\n", "rounds = 3\n"+c.lines)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n%v\nwant %q in it", c.lines, err, c.want)
		}
	}
	s, err := faulty(t, dir, "rounds = 3\n", "rounds = 3\ncollective = \"hierarchical\"\n")
	if err != nil || s.Problem.Collective != "hierarchical" || s.Cluster.Network.Topology != hw.OwnPorts {
		t.Errorf("%v", err)
	}
}
