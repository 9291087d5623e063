package e2e

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/client"
	"ehpc/test/e2e/rig"
)

func testWire(t *testing.T, c *rig.Cluster) {
	endpoint, err := url.Parse(c.Config.Endpoint)
	rig.Must(t, err)
	half, err := net.Dial("tcp", endpoint.Host)
	rig.Must(t, err)
	defer half.Close()
	_, err = io.WriteString(half, "POST / HTTP/1.1\r\nHost: "+endpoint.Host+"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nAction=")
	rig.Must(t, err)
	begun := time.Now()

	t.Run("a body of 10 MiB is refused", func(t *testing.T) {
		status, code := post(t, c, strings.Repeat("x", 10<<20))
		if status != http.StatusRequestEntityTooLarge || code == "" {
			t.Errorf("the answer is %d %s", status, code)
		}
	})
	t.Run("a request without a signature is refused", func(t *testing.T) {
		if status, code := post(t, c, "Action=ListRegions&Version=2018-04-12"); status != http.StatusBadRequest || !strings.HasPrefix(code, "Missing") {
			t.Errorf("the answer is %d %s", status, code)
		}
	})
	t.Run("a request that is sent by half is ended", func(t *testing.T) {
		rig.Must(t, half.SetReadDeadline(begun.Add(45*time.Second)))
		answer, err := io.ReadAll(half)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 4") {
			t.Errorf("after %s it is answered %q, %v", time.Since(begun), answer, err)
		}
	})
}

func testSignatures(t *testing.T, c *rig.Cluster) {
	now := time.Now()
	good := sign(c.Config, "ListRegions", now)
	if status, code := post(t, c, good); status != http.StatusOK {
		t.Fatalf("a good request is answered %d %s", status, code)
	}
	forged, err := url.ParseQuery(sign(c.Config, "ListRegions", now))
	rig.Must(t, err)
	forged.Set("Action", "ListClusters")
	for name, test := range map[string]struct{ body, code string }{
		"the same request again":           {good, "SignatureNonceUsed"},
		"a right signature that is old":    {sign(c.Config, "ListRegions", now.Add(-16*time.Minute)), "InvalidTimeStamp.Expired"},
		"a right signature of the future":  {sign(c.Config, "ListRegions", now.Add(16*time.Minute)), "InvalidTimeStamp.Expired"},
		"a signature of something else":    {forged.Encode(), "SignatureDoesNotMatch"},
		"a signature with an unknown key":  {sign(client.Config{AccessKeyID: "nobody", AccessKeySecret: "x"}, "ListRegions", now), "InvalidAccessKeyId.NotFound"},
		"a signature with a wrong secret":  {sign(client.Config{AccessKeyID: c.Config.AccessKeyID, AccessKeySecret: "x"}, "ListRegions", now), "SignatureDoesNotMatch"},
		"an action that does not exist":    {sign(c.Config, "MakeCoffee", now), "InvalidAction.NotFound"},
		"an action that is not built here": {sign(c.Config, "CreateGWSCluster", now), "NotImplemented"},
	} {
		t.Run(name, func(t *testing.T) {
			if status, code := post(t, c, test.body); code != test.code {
				t.Errorf("it is answered %d %s, want %s", status, code, test.code)
			}
		})
	}
}

func testDisabledKey(t *testing.T, c *rig.Cluster) {
	key := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), rig.Program(t, "ehpc"), append([]string{"key", "--data", c.Dir}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
		return string(out)
	}
	config := c.Config
	for line := range strings.Lines(key("create", "--owner", "somebody")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "ALIBABA_CLOUD_ACCESS_KEY_ID":
			config.AccessKeyID = value
		case "ALIBABA_CLOUD_ACCESS_KEY_SECRET":
			config.AccessKeySecret = value
		}
	}
	if strings.Contains(key("list"), config.AccessKeySecret) {
		t.Error("ehpc key list shows the secret")
	}
	ask := func() (int, string) { return post(t, c, sign(config, "ListRegions", time.Now())) }
	for _, step := range []struct{ verb, code string }{{"", ""}, {"disable", "InvalidAccessKeyId.Inactive"}, {"enable", ""}, {"delete", "InvalidAccessKeyId.NotFound"}} {
		if step.verb != "" {
			key(step.verb, config.AccessKeyID)
		}
		if status, code := ask(); code != step.code {
			t.Errorf("after %q the answer is %d %s, want %q", step.verb, status, code, step.code)
		}
	}
}

// post sends a form and returns the answer's status and, for a refusal, its code.
func post(t *testing.T, c *rig.Cluster, body string) (status int, code string) {
	t.Helper()
	r, err := http.Post(c.Config.Endpoint, "application/x-www-form-urlencoded", strings.NewReader(body))
	rig.Must(t, err)
	defer r.Body.Close()
	var answer struct{ Code, RequestId string }
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil || answer.RequestId == "" {
		t.Errorf("the answer %d has no request id: %v", r.StatusCode, err)
	}
	return r.StatusCode, answer.Code
}

// sign signs a request as of a time of the forger's choice.
func sign(config client.Config, action string, at time.Time) string {
	form := url.Values{"Action": {action}, "Version": {api.Spec().Version}, "Format": {"JSON"}, "RegionId": {"cn-hangzhou"},
		"AccessKeyId": {config.AccessKeyID}, "SignatureMethod": {"HMAC-SHA256"}, "SignatureVersion": {"1.0"},
		"SignatureNonce": {rand.Text()}, "Timestamp": {at.UTC().Format("2006-01-02T15:04:05Z")}}
	pct := func(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
	mac := hmac.New(sha256.New, []byte(config.AccessKeySecret+"&"))
	io.WriteString(mac, "POST&%2F&"+pct(strings.ReplaceAll(form.Encode(), "+", "%20")))
	form.Set("Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return form.Encode()
}
