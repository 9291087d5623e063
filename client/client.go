// Package client calls the service: it signs requests, retries what is safe to
// retry and walks through paged lists. It knows the API's catalogue and nothing
// of how the service works.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"ehpc/api"
)

const (
	tryTimeout  = 60 * time.Second // of one try, for clients without an HTTPClient of their own
	answerLimit = 64 << 20         // bytes of an answer
)

// Config says where the service is and who is calling.
type Config struct {
	Endpoint        string // "https://host:port"; without a scheme https, on loopback http
	AccessKeyID     string
	AccessKeySecret string
	SecurityToken   string       // of temporary credentials, "" for none
	Region          string       // sent as RegionId where the call has none; "" leaves it to the service
	HTTPClient      *http.Client // nil for one of its own

	// RetryFor is how long a call is tried again while a service that was there does
	// not answer, or asks for it; 0 for a few tries.
	RetryFor time.Duration
	// Trying is told when a service that does not answer, or asks for it, is tried
	// again, with the time since that began, and with nil when it has answered.
	Trying func(err error, since time.Duration)
}

// FromEnv reads a configuration from ALIBABA_CLOUD_ACCESS_KEY_ID,
// ALIBABA_CLOUD_ACCESS_KEY_SECRET, ALIBABA_CLOUD_SECURITY_TOKEN, EHPC_ENDPOINT
// and EHPC_REGION. New says what is missing.
func FromEnv() Config {
	return Config{
		Endpoint:        os.Getenv("EHPC_ENDPOINT"),
		AccessKeyID:     os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_ID"),
		AccessKeySecret: os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
		SecurityToken:   os.Getenv("ALIBABA_CLOUD_SECURITY_TOKEN"),
		Region:          os.Getenv("EHPC_REGION"),
	}
}

// Client calls one service with one access key. It may be used concurrently.
type Client struct {
	config   Config
	endpoint string
	http     *http.Client
	reached  atomic.Bool // the service, at least once
}

// New returns a client. It does not connect yet.
func New(config Config) (*Client, error) {
	if config.AccessKeyID == "" || config.AccessKeySecret == "" {
		return nil, errors.New("cannot make a client: the access key's id or secret is missing")
	}
	endpoint, err := endpointURL(config.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("cannot make a client: %w", err)
	}
	c := &Client{config: config, endpoint: endpoint, http: config.HTTPClient}
	if c.http == nil {
		c.http = &http.Client{Timeout: tryTimeout}
	}
	return c, nil
}

// Endpoint is where the service is, as "https://host:port".
func (c *Client) Endpoint() string { return strings.TrimSuffix(c.endpoint, "/") }

func endpointURL(text string) (string, error) {
	if text == "" {
		return "", errors.New("the endpoint is missing")
	}
	if !strings.Contains(text, "://") {
		scheme := "https"
		if isLoopback(text) {
			scheme = "http"
		}
		text = scheme + "://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("the endpoint is not a URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", strings.Trim(u.Path, "/") != "", u.RawQuery != "", u.User != nil:
		return "", fmt.Errorf("the endpoint %q is not like https://host:port", text)
	}
	return u.Scheme + "://" + u.Host + "/", nil
}

func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Call carries out an action with flattened parameters and returns the answer's
// JSON. Everything that the service refuses is an *Error.
//
// A mutating action gets a ClientToken unless params has one, so that a retry
// changes nothing twice.
func (c *Client) Call(ctx context.Context, action string, params url.Values) (json.RawMessage, error) {
	form := url.Values{}
	maps.Copy(form, params)
	form.Set("Action", action)
	form.Set("Version", api.Spec().Version)
	form.Set("Format", string(api.JSON))
	if c.config.Region != "" && form.Get("RegionId") == "" {
		form.Set("RegionId", c.config.Region)
	}
	known, ok := api.Lookup(action)
	if ok && !known.ReadOnly && form.Get("ClientToken") == "" {
		form.Set("ClientToken", randomID())
	}
	repeatable := ok && known.ReadOnly || form.Get("ClientToken") != ""
	return c.retry(ctx, repeatable, func() (json.RawMessage, error) { return c.try(ctx, form) })
}

// Do carries out the action that the request struct (of package api) belongs to
// and decodes the answer into response, a pointer to the action's response
// struct or to any other type that takes the JSON; nil throws it away.
func (c *Client) Do(ctx context.Context, request, response any) error {
	action, params, err := api.Flatten(request)
	if err != nil {
		return err
	}
	answer, err := c.Call(ctx, action.Name, params)
	if err != nil || response == nil {
		return err
	}
	if err := json.Unmarshal(answer, response); err != nil {
		return fmt.Errorf("cannot read the answer to %s: %w", action.Name, err)
	}
	return nil
}

// try sends the form once, signed anew.
func (c *Client) try(ctx context.Context, form url.Values) (json.RawMessage, error) {
	signed := c.sign(http.MethodPost, form, time.Now())
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { c.reached.Store(true) }})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, strings.NewReader(signed.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "ehpc-client")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unanswered(err)
	}
	c.reached.Store(true)
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerLimit+1))
	if err != nil {
		return nil, c.unanswered(err)
	}
	if len(body) > answerLimit {
		return nil, fmt.Errorf("cannot read the service's answer: it is longer than %d bytes", answerLimit)
	}
	if response.StatusCode != http.StatusOK {
		return nil, errorOf(response, body)
	}
	if !json.Valid(body) {
		return nil, &Error{Code: NotOurs, Message: "the answer is no JSON; is the endpoint right?", HTTPStatus: response.StatusCode}
	}
	return body, nil
}
