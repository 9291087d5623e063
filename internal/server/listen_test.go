package server

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ehpc/client"
)

// listen serves a kit on a real socket until the test ends.
func (k *kit) listen(t *testing.T, patience time.Duration, secure *Certificates) (address string) {
	t.Helper()
	server := HTTPServer(k, slog.New(slog.DiscardHandler))
	if patience > 0 {
		server.ReadHeaderTimeout, server.ReadTimeout = patience, patience
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		if secure == nil {
			done <- server.Serve(listener)
			return
		}
		server.TLSConfig = &tls.Config{GetCertificate: secure.Get}
		done <- server.ServeTLS(listener, "", "")
	}()
	t.Cleanup(func() {
		server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

func TestALargeBodyIsRefused(t *testing.T) {
	t.Parallel()
	k := newKit(nil)
	address := k.listen(t, 0, nil)
	for size, code := range map[int]string{10 << 20: "RequestTooLarge", bodyLimit + 1: "RequestTooLarge", bodyLimit: "MissingAccessKeyId"} {
		for _, chunked := range []bool{false, true} {
			var body io.Reader = bytes.NewReader(bytes.Repeat([]byte("x"), size))
			if chunked {
				body = io.MultiReader(body) // of unknown length
			}
			response, err := http.Post("http://"+address+"/", "application/x-www-form-urlencoded", body)
			if err != nil {
				t.Fatalf("a body of %d bytes: %v", size, err)
			}
			var got struct{ Code, RequestId string }
			err = json.NewDecoder(response.Body).Decode(&got)
			response.Body.Close()
			if err != nil || got.Code != code || got.RequestId == "" {
				t.Errorf("a body of %d bytes: got %s %+v, %v", size, response.Status, got, err)
			}
			if code == "RequestTooLarge" && response.StatusCode != 413 {
				t.Errorf("a body of %d bytes: got %s", size, response.Status)
			}
		}
	}
}

func TestASenderWhoReadsOnlyAfterwardsStillSeesTheRefusal(t *testing.T) {
	t.Parallel()
	conn, err := net.Dial("tcp", newKit(nil).listen(t, 0, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head := "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n"
	if _, err := io.WriteString(conn, head+strings.Repeat("x", 10<<20)); err != nil {
		t.Fatalf("it could not send its body: %v", err)
	}
	if got, err := io.ReadAll(conn); err != nil || !strings.Contains(string(got), "RequestTooLarge") {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestALongQueryIsTakenLikeALongForm(t *testing.T) {
	t.Parallel()
	k := newKit(nil)
	address := k.listen(t, 0, nil)
	response, err := http.Get("http://" + address + "/?Content=" + strings.Repeat("x", bodyLimit-(64<<10)))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, _ := io.ReadAll(response.Body); !strings.Contains(string(text), "MissingAccessKeyId") {
		t.Errorf("got %s %.200s", response.Status, text)
	}
}

func TestAHalfSentRequestEnds(t *testing.T) {
	t.Parallel()
	k := newKit(nil)
	address := k.listen(t, 100*time.Millisecond, nil)
	cases := map[string]struct{ sent, want string }{
		"nothing at all":     {"", ""},
		"half a header":      {"POST / HTTP/1.1\r\nHost: x\r\nContent-", ""},
		"half a body":        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nAction=List", "RequestTimeout"},
		"half a chunk":       {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n40\r\nAction", "RequestTimeout"},
		"half a large body":  {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" + strings.Repeat("x", 3<<20), "RequestTooLarge"},
		"a chunk of nothing": {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "InvalidParams"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, c.sent); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(conn) // until the server hangs up
			if err != nil {
				t.Fatalf("the connection is still open: %v", err)
			}
			if !strings.Contains(string(got), `"Code":"`+c.want) && c.want != "" || c.want == "" && strings.Contains(string(got), "Code") {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestOneConnectionServesManyRequests(t *testing.T) {
	t.Parallel()
	k := newKit(nil)
	conn, err := net.Dial("tcp", k.listen(t, 0, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for range 3 {
		r := get(rpc("GET", me, describe()))
		if err := r.Write(conn); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(reader, r)
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := io.ReadAll(response.Body); response.StatusCode != 200 {
			t.Errorf("got %s", text)
		}
	}
}

func TestOurClientIsServedOverTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificates, err := SelfSigned(dir, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	address := newKit(nil).listen(t, 0, certificates)
	trusted := x509.NewCertPool()
	pem, err := os.ReadFile(filepath.Join(dir, CertificateFile))
	if err != nil || !trusted.AppendCertsFromPEM(pem) {
		t.Fatalf("cannot trust the certificate: %v", err)
	}
	for _, host := range []string{address, strings.Replace(address, "127.0.0.1", "localhost", 1)} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}
		defer transport.CloseIdleConnections()
		c, err := client.New(client.Config{Endpoint: "https://" + host, AccessKeyID: me.ID, AccessKeySecret: me.Secret,
			HTTPClient: &http.Client{Transport: transport}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Call(t.Context(), "DescribeCluster", url.Values{"ClusterId": {"c"}}); err != nil {
			t.Error(err)
		}
	}
}

func TestLargeBodiesOfStrangersHaveTheirPlaces(t *testing.T) {
	t.Parallel()
	address := newKit(nil).listen(t, 0, nil)
	code := func(size int) string {
		t.Helper()
		resp, err := http.Post("http://"+address, "application/x-www-form-urlencoded", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var a struct{ Code string }
		if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
			t.Fatal(err)
		}
		return a.Code
	}
	until := func(size int, want string) {
		t.Helper()
		got := ""
		for deadline := time.Now().Add(10 * time.Second); got != want && time.Now().Before(deadline); {
			got = code(size)
		}
		if got != want {
			t.Errorf("a request of %d bytes is answered %q, want %q", size, got, want)
		}
	}
	var slow []net.Conn
	for range largeBodies {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"+strings.Repeat("x", smallBody+1))
		slow = append(slow, conn)
	}
	until(smallBody+1, "ServiceUnavailable")
	until(smallBody-1, "MissingAccessKeyId")
	for _, conn := range slow {
		conn.Close()
	}
	until(smallBody+1, "MissingAccessKeyId")
}
