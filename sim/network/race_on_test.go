//go:build race

package network

// raceDetector says that tests of many million steps on one goroutine are not
// worth their time.
const raceDetector = true
