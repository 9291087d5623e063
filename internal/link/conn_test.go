package link

import (
	"errors"
	"net"
	"slices"
	"testing"
)

// pieces is a connection that notes what it is given to send, and breaks after
// so many bytes.
type pieces struct {
	net.Conn
	sizes []int
	room  int
}

func (p *pieces) Write(b []byte) (int, error) {
	n := min(len(b), p.room)
	p.room -= n
	p.sizes = append(p.sizes, n)
	if n < len(b) {
		return n, errors.New("broken")
	}
	return n, nil
}

func TestWhatIsWrittenIsSentInSmallPieces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		write, room, sent int
		sizes             []int
	}{
		{0, 1 << 20, 0, nil},
		{100, 1 << 20, 100, []int{100}},
		{2*frameSize + 1, 1 << 20, 2*frameSize + 1, []int{frameSize, frameSize, 1}},
		{2 * frameSize, frameSize + 7, frameSize + 7, []int{frameSize, 7}},
	} {
		p := &pieces{room: c.room}
		n, err := framed{p}.Write(make([]byte, c.write))
		if n != c.sent || (err != nil) != (c.sent < c.write) || !slices.Equal(p.sizes, c.sizes) {
			t.Errorf("%d bytes: wrote %d, %v, in %v", c.write, n, err, p.sizes)
		}
	}
}
