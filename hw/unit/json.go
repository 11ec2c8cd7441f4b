package unit

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// number is the JSON of a float quantity: the bare number in the base unit,
// so that tools need no unit parser. JSON has no NaN and no infinity.
func (k *kind) number(v float64) ([]byte, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, fmt.Errorf("%s %v has no JSON form", k.name, v)
	}
	return json.Marshal(v)
}

// fromJSON reads a number in the base unit, or a string with a unit.
func (k *kind) fromJSON(data []byte) (float64, error) {
	if text, ok, err := jsonText(data); ok {
		if err != nil {
			return 0, err
		}
		return k.float(text)
	}
	v, err := strconv.ParseFloat(string(data), 64)
	if err != nil || !(v >= 0 && v <= k.limit) {
		return 0, k.errorf(string(data), "it is not a number from 0 to %g", k.limit)
	}
	return v, nil
}

// integerFromJSON is fromJSON for whole quantities.
func (k *kind) integerFromJSON(data []byte) (int64, error) {
	if text, ok, err := jsonText(data); ok {
		if err != nil {
			return 0, err
		}
		return k.integer(text)
	}
	n, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil || n < 0 || k.over(n) {
		return 0, k.errorf(string(data), "it is not a whole number from 0 to %g", k.limit)
	}
	return n, nil
}

// jsonText decodes data if it is a JSON string.
func jsonText(data []byte) (text string, ok bool, err error) {
	if len(data) == 0 || data[0] != '"' {
		return "", false, nil
	}
	err = json.Unmarshal(data, &text)
	return text, true, err
}
