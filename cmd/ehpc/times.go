package main

import "time"

// People read times in their own zone: in tables without its name, in sentences
// and wherever a time stands alone with it. Programs get the API's times.

// apiTimes are how the API writes times; those of jobs have no zone and are in UTC.
var apiTimes = []string{time.RFC3339, "2006-01-02T15:04:05"}

// when is a time of the API in a table.
func when(text string) string { return shownTime(text, tableTime) }

// whenExactly is a time of the API that stands alone.
func whenExactly(text string) string { return shownTime(text, exactTime) }

func shownTime(text string, shown func(time.Time) string) string {
	t, ok := apiTime(text)
	if !ok {
		return text
	}
	return shown(t)
}

func tableTime(t time.Time) string { return t.Local().Format(time.DateTime) }

func exactTime(t time.Time) string { return t.Local().Format(time.DateTime + " MST") }

// apiTime reads a time of the API.
func apiTime(text string) (t time.Time, ok bool) {
	for _, layout := range apiTimes {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return t, false
}
