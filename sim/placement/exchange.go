package placement

import "math"

// exchangeTimes returns the seconds in which k devices of stage i give each other the
// rows that they look up, at the begin of a round (pull), and the gradients, at its
// end (push).
// The closed form leaves it out, as it does the synchronisation of gradients.
//
// Each row is owned by one device. All devices together ask for asked x k^sharing
// bytes, an even share of them from every owner. Inside a node they go over the
// peer links (host links where there are none), between nodes through the nodes'
// network ports, both at the same time.
func (ev *Evaluator) exchangeTimes(i, k int) (pull, push float64) {
	st := &ev.stages[i]
	if st.asked == 0 || k < 2 {
		return 0, 0
	}
	pool := &ev.p.Cluster.Pools[st.pool]
	n := float64(k)
	each := st.asked * math.Pow(n, st.sharing/st.asked) / n
	near := float64(min(k, pool.Node.Devices))
	peer := pool.Node.PeerLink
	if peer.Bandwidth == 0 {
		peer = pool.Node.HostLink
	}
	seconds := peer.Latency.Seconds() + each*(near-1)/n/float64(peer.Bandwidth)
	if far := n - near; far > 0 {
		nic := pool.Node.NIC
		seconds = max(seconds, nic.Latency.Seconds()+near*each*far/n/float64(nic.Bandwidth))
	}
	if ev.p.Inference {
		return seconds, 0
	}
	return seconds, seconds
}
