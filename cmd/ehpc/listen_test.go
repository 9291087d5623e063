package main

import (
	"log/slog"
	"net"
	"strings"
	"testing"

	"ehpc/internal/config"
	"ehpc/internal/gateway"
)

func TestAnAddressThatIsTakenIsToldWithTheWayOut(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken := other.Addr().String()
	t.Run("for ssh", func(t *testing.T) {
		_, err := openLogin(taken, config.Config{}, gateway.Options{})
		if want := "cannot serve ssh on " + taken + ": another program listens there; choose another address: --ssh ADDRESS or --ssh off (make run SSH=ADDRESS)"; err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	})
	t.Run("for the API", func(t *testing.T) {
		_, err := listen(config.Config{Listen: taken}, slog.New(slog.DiscardHandler))
		if err = takenAddress("the API", taken, "--listen ADDRESS", "LISTEN", err); !strings.Contains(err.Error(), "(make run LISTEN=ADDRESS)") {
			t.Errorf("got %v", err)
		}
	})
}
