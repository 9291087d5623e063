package api

import (
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// Flatten is the inverse of Bind: it names the action that a request struct (or
// a pointer to one) belongs to and writes the request as parameters.
//
// What is empty is left out: texts, nil pointers, and a 0 where the catalogue
// has another default, which then holds. Booleans that are not pointers are
// always written. An element of a list that is empty as a whole leaves a gap,
// which Bind refuses.
func Flatten(request any) (*Action, url.Values, error) {
	v := reflect.Indirect(reflect.ValueOf(request))
	if v.Kind() != reflect.Struct {
		return nil, nil, fmt.Errorf("cannot flatten a %T: it is no request", request)
	}
	name, isRequest := strings.CutSuffix(v.Type().Name(), "Request")
	action, known := Lookup(name)
	if !isRequest || !known || reflect.TypeOf(action.NewRequest()).Elem() != v.Type() {
		return nil, nil, fmt.Errorf("cannot flatten a %T: it is no request", request)
	}
	f := flattener{action: action, values: url.Values{}}
	f.object(v, "", "")
	return action, f.values, nil
}

type flattener struct {
	action *Action
	values url.Values
}

// object writes a struct's fields. key is how far the parameter's name has come
// with its list indexes, name the same as the catalogue writes it.
func (f flattener) object(v reflect.Value, key, name string) {
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag.Get("param")
		if tag == "" {
			continue
		}
		if list, ok := strings.CutSuffix(tag, ".N"); ok {
			for n := range v.Field(i).Len() {
				f.value(v.Field(i).Index(n), key+list+"."+strconv.Itoa(n+1), name+tag)
			}
			continue
		}
		f.value(v.Field(i), key+tag, name+tag)
	}
}

func (f flattener) value(v reflect.Value, key, name string) {
	given := v.Kind() == reflect.Pointer && !v.IsNil()
	v = reflect.Indirect(v)
	switch v.Kind() {
	case reflect.Struct:
		f.object(v, key+".", name+".")
	case reflect.String:
		if v.String() != "" {
			f.values.Set(key, v.String())
		}
	case reflect.Bool:
		f.values.Set(key, strconv.FormatBool(v.Bool()))
	case reflect.Int:
		if given || v.Int() != 0 || !f.hasDefault(name) {
			f.values.Set(key, strconv.FormatInt(v.Int(), 10))
		}
	case reflect.Float64:
		if given || v.Float() != 0 || !f.hasDefault(name) {
			f.values.Set(key, plain(v.Float()))
		}
	}
}

func (f flattener) hasDefault(name string) bool {
	p := f.action.Param(name)
	return p != nil && p.Default != nil
}
