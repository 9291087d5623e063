package server

import (
	"fmt"
	"mime"
	"net/url"
	"strings"

	"ehpc/api"
	"ehpc/internal/auth"
)

// maxParams bounds the parameters of a query or a form.
const maxParams = 10_000

// parse decodes the query and the form.
func (s *server) parse(x *exchange) (err error) {
	x.acs3 = auth.IsACS3(x.http.Header.Get("Authorization"))
	x.signed.Method = x.http.Method
	x.signed.Host = x.http.Host
	x.signed.Header = x.http.Header
	if x.signed.Query, err = parseParams(x.http.URL.RawQuery); err != nil {
		return api.InvalidParams.Errorf("The query cannot be read: %v.", err)
	}
	if len(x.signed.Body) == 0 {
		return nil
	}
	if !isForm(x.http.Header.Get("Content-Type")) {
		return api.InvalidParams.Errorf("The body must be a form (application/x-www-form-urlencoded).")
	}
	if x.signed.Form, err = parseParams(string(x.signed.Body)); err != nil {
		return api.InvalidParams.Errorf("The form cannot be read: %v.", err)
	}
	if format := x.signed.Form.Get("Format"); format != "" {
		x.format = formatOf(format)
	}
	return nil
}

// isForm tells whether a body is a form. Some clients do not say.
func isForm(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return contentType == "" || err == nil && media == "application/x-www-form-urlencoded"
}

// parseParams decodes k=v&k=v. Unlike url.ParseQuery it takes a semicolon for an
// ordinary character, as the clients do, and refuses what it cannot decode.
func parseParams(text string) (url.Values, error) {
	params := url.Values{}
	n := 0
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		if n++; n > maxParams {
			return nil, fmt.Errorf("it has more than %d parameters", maxParams)
		}
		key, value, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(key)
		if err != nil {
			return nil, fmt.Errorf("the name of parameter %d is not escaped as it should be", n)
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, fmt.Errorf("the value of parameter %d is not escaped as it should be", n)
		}
		params[key] = append(params[key], value)
	}
	return params, nil
}

// formatIn finds the asked for format in a query that may not be readable.
func formatIn(query string) api.Format {
	for pair := range strings.SplitSeq(query, "&") {
		if value, ok := strings.CutPrefix(pair, "Format="); ok {
			return formatOf(value)
		}
	}
	return api.JSON
}

// formatOf is XML for those who ask for it: a client that does not expect XML
// cannot read an error written in it.
func formatOf(text string) api.Format {
	if strings.EqualFold(text, string(api.XML)) {
		return api.XML
	}
	return api.JSON
}
