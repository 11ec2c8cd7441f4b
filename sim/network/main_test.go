package network

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"stowage/sim/engine"
)

// No test may leave a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run fails the test if the run does not end well.
func run(t testing.TB, e *engine.Engine) {
	t.Helper()
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}
