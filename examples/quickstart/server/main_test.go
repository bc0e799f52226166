package main

import "testing"

func TestThePortOfTheCommandLineGoesFirst(t *testing.T) {
	t.Parallel()
	tests := []struct {
		flag   uint16
		env    string
		config uint16
		want   uint16
		ok     bool
	}{
		{0, "", 0, defaultPort, true},
		{0, "", 7000, 7000, true},
		{0, "8000", 7000, 8000, true},
		{9000, "8000", 7000, 9000, true},
		{0, "http", 0, 0, false},
		{0, "70000", 0, 0, false},
	}
	for _, tt := range tests {
		port, err := choosePort(tt.flag, tt.env, tt.config)
		if port != tt.want || (err == nil) != tt.ok {
			t.Errorf("%+v: %d, %v", tt, port, err)
		}
	}
}
