package server

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzServe sends unsigned requests of any shape: all must be refused with a
// body that can be read.
func FuzzServe(f *testing.F) {
	f.Add("Action=ListRegions&Format=XML&Version=2018-04-12", "", "", "")
	f.Add("", "AccessKeyId=LTAIme&Signature=%3D&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&SignatureNonce=n&Timestamp=2026-11-23T07%3A08%3A53Z", "", "")
	f.Add("a=%zz&;&&==", "\x00\xff", "text/plain; charset=\"", "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=b,Signature=c")
	k := newKit(nil)
	f.Fuzz(func(t *testing.T, query, body, contentType, authorization string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header = http.Header{"Content-Type": {contentType}, "Authorization": {authorization}}
		w := httptest.NewRecorder()
		k.ServeHTTP(w, r)
		if w.Code < 400 || w.Code >= 500 {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
		if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
			var fields struct{ Code, RequestId string }
			if err := json.Unmarshal(w.Body.Bytes(), &fields); err != nil || fields.Code == "" || fields.RequestId == "" {
				t.Errorf("got %s: %v", w.Body, err)
			}
			return
		}
		decoder := xml.NewDecoder(w.Body)
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				t.Fatal(err)
			}
		}
	})
}
