package link

import (
	"net"
	"slices"
	"sync"
)

// frameSize bounds what a session is given to send at a time: it keeps room for
// the largest piece that it ever sent.
const frameSize = 8 << 10

// framed is a stream that sends what is written in small pieces.
type framed struct{ net.Conn }

func (c framed) Write(p []byte) (n int, err error) {
	for piece := range slices.Chunk(p, frameSize) {
		sent, err := c.Conn.Write(piece)
		if n += sent; err != nil {
			return n, err
		}
	}
	return n, nil
}

// limitedConn gives its place in a limitListener back when it is closed.
type limitedConn struct {
	net.Conn
	free chan struct{}
	once sync.Once
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.free })
	return err
}
