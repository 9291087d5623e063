package api

import (
	"io"
)

// Format is how an answer is written.
type Format string

// The formats of an answer.
const (
	JSON Format = "JSON"
	XML  Format = "XML"
)

// ContentType is the media type of answers in the format.
func (f Format) ContentType() string {
	if f == XML {
		return "text/xml;charset=utf-8"
	}
	return "application/json;charset=utf-8"
}

// Encode writes the body of a success. Empty lists come out as lists, members
// that are optional and empty are left out, and RequestId is requestID. action
// is the action's name, from which XML takes its root.
func Encode(w io.Writer, format Format, action, requestID string, response any) error {
	body, err := answer(requestID, response)
	if err != nil {
		return err
	}
	return body.write(w, format, action+"Response")
}

// EncodeError writes the body of a failure. The cause is not shown.
func EncodeError(w io.Writer, format Format, requestID, hostID string, err *Error) error {
	body := tree{
		{"RequestId", requestID},
		{"HostId", hostID},
		{"Code", err.Code.Name},
		{"Message", err.Message},
		{"Recommend", ""},
	}
	return body.write(w, format, Spec().ErrorBody.XMLRoot)
}
