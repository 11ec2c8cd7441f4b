//go:build !race

package lookups

// raceDetector says that tests of many million steps on one goroutine are not
// worth their time.
const raceDetector = false
