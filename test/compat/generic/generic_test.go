// Package generic holds the service against the generic client of the newer Go
// SDKs, unmodified, with both kinds of signatures.
package generic

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	"github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"

	"ehpc/test/compat/mainjob"
)

func TestCallApiDoesTheMainJob(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run("over "+scheme, func(t *testing.T) {
			s := mainjob.Start(t, scheme)
			for name, algorithm := range map[string]*string{"ACS3": nil, "RPC v1": dara.String("v2")} {
				t.Run("signed with "+name, func(t *testing.T) {
					c, err := openapi.NewClient(&utils.Config{
						AccessKeyId:        &s.KeyID,
						AccessKeySecret:    &s.KeySecret,
						Endpoint:           &s.HostPort,
						Protocol:           &s.Scheme,
						RegionId:           &s.Region,
						SignatureAlgorithm: algorithm,
					})
					if err != nil {
						t.Fatal(err)
					}
					mainjob.Do(t.Context(), t, caller(c), "generic")
				})
			}
		})
	}
}

// caller sends requests with CallApi.
func caller(sdk *openapi.Client) mainjob.Call {
	return func(action string, answer any, pairs ...string) error {
		query := map[string]*string{}
		for i := 0; i+1 < len(pairs); i += 2 {
			query[pairs[i]] = &pairs[i+1]
		}
		params := &utils.Params{
			Action: &action, Version: dara.String("2018-04-12"), Protocol: sdk.Protocol, Pathname: dara.String("/"),
			Method: dara.String(http.MethodPost), AuthType: dara.String("AK"), Style: dara.String("RPC"),
			ReqBodyType: dara.String("formData"), BodyType: dara.String("json"),
		}
		runtime := &dara.RuntimeOptions{IgnoreSSL: dara.Bool(true)} // the certificate is the service's own
		result, err := sdk.CallApi(params, &utils.OpenApiRequest{Query: query}, runtime)
		var refused *tea.SDKError
		if errors.As(err, &refused) {
			return &mainjob.Refused{Code: tea.StringValue(refused.Code), Message: tea.StringValue(refused.Message), Status: tea.IntValue(refused.StatusCode)}
		}
		if err != nil {
			return err
		}
		text, err := json.Marshal(result["body"])
		if err != nil {
			return err
		}
		return json.Unmarshal(text, answer)
	}
}
