package api

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// problem says what is wrong with a value, as the end of a sentence that begins
// with the parameter's name; "" when nothing is. Values are never repeated:
// they may be secret.
func (p *Param) problem(value string) string {
	if !utf8.ValidString(value) {
		return "is not valid UTF-8"
	}
	if strings.ContainsRune(value, 0) {
		return "must not hold NUL bytes"
	}
	switch p.Type {
	case "integer", "number":
		return p.numberProblem(value)
	case "boolean":
		if _, ok := p.parseBool(value); !ok {
			return "must be true or false"
		}
		return ""
	case "json":
		if _, err := strictJSON(value); err != nil {
			return "is not valid JSON"
		}
	}
	return p.textProblem(value)
}

func (p *Param) numberProblem(value string) string {
	var n float64
	if p.Type == "integer" {
		i, err := strconv.Atoi(value)
		if err != nil || strings.HasPrefix(value, "+") {
			return "must be a whole number"
		}
		if p.Format != "unix" && (i < math.MinInt32 || i > math.MaxInt32) {
			return "is too large a number" // the SDKs' integers have 32 bits
		}
		n = float64(i)
	} else {
		f, err := strconv.ParseFloat(value, 64)
		if err != nil || !decimal.MatchString(value) {
			return "must be a number"
		}
		n = f
	}
	tooSmall := p.Min != nil && n < *p.Min && !p.ClampMin
	tooLarge := p.Max != nil && n > *p.Max
	switch {
	case !tooSmall && !tooLarge:
	case p.Min != nil && p.Max != nil:
		return fmt.Sprintf("must be between %s and %s", plain(*p.Min), plain(*p.Max))
	case tooSmall:
		return "must be at least " + plain(*p.Min)
	default:
		return "must be at most " + plain(*p.Max)
	}
	if p.Format == "unix" && n < 0 {
		return "must be a time in seconds since 1970"
	}
	return p.enumProblem(value)
}

func (p *Param) textProblem(value string) string {
	length := utf8.RuneCountInString(value)
	tooShort := p.MinLength != nil && length < *p.MinLength
	tooLong := p.MaxLength != nil && length > *p.MaxLength
	switch {
	case !tooShort && !tooLong:
	case p.MinLength != nil && p.MaxLength != nil:
		return fmt.Sprintf("must have %d to %d characters", *p.MinLength, *p.MaxLength)
	case tooShort:
		return fmt.Sprintf("must have at least %d characters", *p.MinLength)
	default:
		return fmt.Sprintf("must have at most %d characters", *p.MaxLength)
	}
	if p.re != nil && !p.re.MatchString(value) {
		return "must match " + p.Pattern
	}
	if p.Format == "decimal" && !decimal.MatchString(value) {
		return "must be a decimal number"
	}
	if p.Rule == "password" {
		return Spec().Rules.Password.problem(value)
	}
	return p.enumProblem(value)
}

func (p *Param) enumProblem(value string) string {
	if len(p.Enum) == 0 || p.EnumOpen {
		return ""
	}
	known := slices.ContainsFunc(p.Enum, func(word string) bool {
		return word == value || p.foldsCase() && strings.EqualFold(word, value)
	})
	if known {
		return ""
	}
	return "must be one of " + strings.Join(p.Enum, ", ")
}

func (r PasswordRule) problem(value string) string {
	length := utf8.RuneCountInString(value)
	if length < r.MinLength || length > r.MaxLength {
		return fmt.Sprintf("must have %d to %d characters", r.MinLength, r.MaxLength)
	}
	classes := make(map[string]bool)
	for _, c := range value {
		class := r.class(c)
		if class == "" {
			return "may hold only letters, digits and " + r.Classes["special"]
		}
		classes[class] = true
	}
	if len(classes) < r.MinClasses {
		return fmt.Sprintf("must have characters of %d kinds out of upper case, lower case, digits and special ones", r.MinClasses)
	}
	return ""
}

func (r PasswordRule) class(c rune) string {
	switch {
	case c >= 'A' && c <= 'Z':
		return "upper"
	case c >= 'a' && c <= 'z':
		return "lower"
	case c >= '0' && c <= '9':
		return "digit"
	case strings.ContainsRune(r.Classes["special"], c):
		return "special"
	}
	return ""
}

var decimal = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

func plain(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func (p *Param) parseBool(value string) (yes, ok bool) {
	switch strings.ToLower(value) {
	case "true":
		return true, true
	case "false":
		return false, true
	case "yes":
		return true, p.AcceptYesNo
	case "no":
		return false, p.AcceptYesNo
	}
	return false, false
}

// set writes a checked value into its field.
func (p *Param) set(field reflect.Value, value string) {
	if field.Kind() == reflect.Pointer {
		field.Set(reflect.New(field.Type().Elem()))
		field = field.Elem()
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(p.canonical(value))
	case reflect.Bool:
		yes, _ := p.parseBool(value)
		field.SetBool(yes)
	case reflect.Int:
		n, _ := strconv.ParseInt(value, 10, 64)
		if p.ClampMin && p.Min != nil {
			n = max(n, int64(*p.Min))
		}
		field.SetInt(n)
	default:
		n, _ := strconv.ParseFloat(value, 64)
		field.SetFloat(n)
	}
}

// foldsCase tells whether the words of the enumeration may be spelt in any case,
// as those of a boolean that the catalogue has as text are.
func (p *Param) foldsCase() bool {
	return p.EnumIgnoreCase || slices.Equal(p.Enum, []string{"true", "false"})
}

// canonical gives a word of an enumeration its own spelling.
func (p *Param) canonical(value string) string {
	if p.foldsCase() {
		for _, word := range p.Enum {
			if strings.EqualFold(word, value) {
				return word
			}
		}
	}
	return value
}
