package sim

import (
	"testing"

	"go.uber.org/goleak"
)

// No run, however it ends, may leave a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
