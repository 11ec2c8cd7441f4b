package sim

import "slices"

// Explanation says about a metric what its one sentence in MetricKinds leaves open.
type Explanation struct {
	Kind MetricKind
	How  string // how it is computed
	Read string // what to conclude from it, and what not
}

// Explain returns what is to be known about a metric; false: there is none of that name.
func Explain(name string) (Explanation, bool) {
	i := slices.IndexFunc(MetricKinds, func(k MetricKind) bool { return k.Name == name })
	if i < 0 {
		return Explanation{}, false
	}
	e := explanations[name]
	e.Kind = MetricKinds[i]
	return e, true
}

// explanations are looked up by name; a test holds them against MetricKinds.
var explanations = map[string]Explanation{
	"throughput": {
		How:  "rounds x training.batch / the simulated time at which the last round ends. Fill and drain of the pipeline, gradient synchronisation and waiting for embedding rows are in it.",
		Read: "It is the number to compare schemes and clusters by. A short run over cold slot tables is below what a long one reaches: see warm_throughput.",
	},
	"goodput": {
		How:  "rounds x training.batch / the simulated time at which the last round ends, rounds that were lost and done again counted once. Only with [checkpoint] or the loss of a device in the scenario.",
		Read: "It is what training gets done. throughput counts what was done twice as well; cost, run_cost and run_hours go by the goodput.",
	},
	"goodput_ratio": {
		How:  "1 - time lost / the run's time. Lost is the time in which rounds wait for a checkpoint, work that is lost with a device, waiting for its repair, restarts, and noticing losses and going on without devices. Only with [checkpoint] or the loss of a device in the scenario.",
		Read: "Checkpoints that are too rare lose work, checkpoints that are too frequent lose time: by Young and Daly the best interval is about sqrt(2 x the time of a checkpoint x the mean time between failures of the job). A straggler or a weak link makes rounds slow, but loses none of them: it is not in this ratio. Nor is a replica that is missing with recovery.mode = \"shrink\": see shrunk_ratio.",
	},
	"shrunk_ratio": {
		How:  "time from going on without a replica until it takes part again, checkpoints included / the run's time. Only with recovery.mode = \"shrink\".",
		Read: "Rounds count meanwhile, but a stage with R - 1 of R replicas takes up to R / (R - 1) times as long: goodput has that, goodput_ratio has not.",
	},
	"slowdown": {
		How:  "throughput of the same scheme on the same devices with nothing else on the cluster / its throughput beside the jobs of [[job]], both over all its rounds.",
		Read: "What sharing the network's links costs this job; 1 is nothing. A job that goes on after the others are over makes up for it: give jobs rounds so that they take about as long.",
	},
	"step_time": {
		How:  "the simulated time at which the last round ends / rounds.",
		Read: "training.batch / step_time is the throughput.",
	},
	"warm_throughput": {
		How:  "as throughput, over the last quarter of the rounds (from the first round of a pass on). Absent in runs of less than 4 rounds.",
		Read: "Where it is well above throughput, slot tables were still warming up: run more rounds before the two are taken for the same.",
	},
	"cost": {
		How:  "price / 3600 / throughput x 10^6, or goodput where there is one. All devices of the scheme are paid for all the time, parameter servers included.",
		Read: "The number for choosing between fast and cheap. It is that of the run, cold start included.",
	},
	"run_cost": {
		How:  "price x run_hours. Only with training.samples in the scenario.",
		Read: "What the whole training run costs at the throughput of the simulated rounds.",
	},
	"run_hours": {
		How:  "training.samples / throughput (or goodput) / 3600. Only with training.samples in the scenario.",
		Read: "How long the whole training run takes at the throughput of the simulated rounds.",
	},
	"price": {
		How:  "the sum over stages of devices x the price of their pool's devices, and that of the parameter servers.",
		Read: "What is paid for an hour, however much is computed in it.",
	},
	"bubble_ratio": {
		How:  "the mean over all devices of the share of the run's time in which their stage neither computes, synchronises gradients nor waits for embedding rows.",
		Read: "More micro-batches, another schedule or better balanced stages make it smaller. It is device time, which is not the same as time lost: an idle CPU is cheap.",
	},
	"stall_ratio": {
		How:  "the mean over all devices of the share of the run's time in which their stage waits for embedding rows.",
		Read: "Larger slot tables, a better replacement policy or look-ahead make it smaller. The table of stalls by cause says what was waited for.",
	},
	"hit_ratio": {
		How:  "over all rounds and slot tables: unique rows that were in a slot when their round was planned / unique rows looked up. A row that a round looks up ten times counts once.",
		Read: "It is below lookup_hit_ratio, since popular rows are looked up often and are in slots. Patent texts and papers use either: compare like with like.",
	},
	"lookup_hit_ratio": {
		How:  "over all rounds and slot tables: lookups whose row was in a slot when their round was planned / lookups.",
		Read: "The figure that cache papers give. The traffic to the slots follows hit_ratio, not this one.",
	},
	"bypass_ratio": {
		How:  "unique rows without a slot, read and updated in host memory / unique rows looked up. Only with shortage = \"bypass\", and only if it happened.",
		Read: "Above zero the slot tables are too small for one round's rows.",
	},
	"peak_slots": {
		How:  "the most slots that held a row at the same time, summed over slot tables.",
		Read: "Where it is below the capacity, the tables are larger than the trace needs.",
	},
	"splits": {
		How:  "the number of rounds or passes that were cut into parts. Only with shortage = \"split\", and only if it happened.",
		Read: "Each part pays for its own transfers: larger slot tables or smaller batches avoid it.",
	},
	"slot_waits": {
		How:  "the number of times that a round had to wait until a round in flight let go of its slots. Only with shortage = \"wait\" or look-ahead, and only if it happened.",
		Read: "Less look-ahead or larger slot tables avoid it.",
	},
	"peak_memory": {
		How:  "the largest over stages of weights + gradients + optimiser state + activations in flight + slot tables of one device.",
		Read: "A scheme whose stage needs more than its device has is infeasible; how much room is left in each is in the table of stages.",
	},
	"fitness": {
		How:  "by the fidelity of the search (placement.fitness): samples/s for the objective throughput, million samples per USD for cost, steps/s for time.",
		Read: "It is what policies are compared by. It is a prediction: throughput is what the simulation then measured.",
	},
	"bound": {
		How:  "an upper bound on the fitness of every scheme that fits, by relaxation or by exhausting the search (placement exact). Absent where none was proven.",
		Read: "It says how much there is left to find, whichever policy looks for it. It holds for the fitness, not for the simulated throughput.",
	},
	"gap": {
		How:  "100 x (bound / fitness - 1).",
		Read: "0 % is proof that no scheme has a higher fitness. A gap above 0 % may be the policy's fault or the bound's.",
	},
	"closed_form_throughput": {
		How:  "training.batch / the step time by the published cost model: the slowest stage sets the pace, computation on its devices by Amdahl's law, transfers overlapped with it or added (placement.communication).",
		Read: "It leaves out fill and drain of the pipeline and contention: far above throughput means that those matter here.",
	},
	"recurrence_throughput": {
		How:  "training.batch / the makespan of one step, computed exactly by the max-plus recurrence of the schedule, with nothing contending.",
		Read: "The difference to throughput is what contention on links and cold slot tables cost.",
	},
	"evaluations": {
		How:  "the number of distinct schemes whose fitness the search computed. A scheme that it came back to counts once.",
		Read: "The price of the search; with placement.evaluations it is bounded.",
	},
}
