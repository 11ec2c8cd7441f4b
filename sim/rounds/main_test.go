package rounds

import (
	"testing"

	"go.uber.org/goleak"
)

// No feed, however its run ends, may leave a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
