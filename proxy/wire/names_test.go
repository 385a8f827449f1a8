package wire

import "testing"

func TestIdentifying(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]bool{
		"4155550100": true, "4111111111111111": true, "-4111111111111111": true, "4111111111111111.0": true, "491711234567": true,
		"14155550100": true, "6011000990139424": true, "30569309025904": true, "378282246310005": true,
		"1796000000": false, "1796000000123": false, "1796000000123456": false, "1796000000123456789": false, "1796000000.5": false,
		"0": false, "-1": false, "123456789": false, "0.4155550100": false, "4.1e10": false, "-": false, "99999999.99": false,
	} {
		if got := identifying([]byte(number)); got != want {
			t.Errorf("%s: %v", number, got)
		}
	}
}

func TestCutNumber(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cuts []Cut
		want string
	}{
		{nil, "4155550100.5"},
		{[]Cut{{Lo: 7, Hi: 17, Seq: 1}}, "0"},
		{[]Cut{{Lo: 18, Hi: 19, Seq: 1}}, "0"},
		{[]Cut{{Lo: 19, Hi: 29, Seq: 1}}, "4155550100.5"},
	} {
		c := NewCutter([]byte("[redacted]"))
		if got := c.Append(nil, []byte("4155550100.5"), Number, 7, tt.cuts); string(got) != tt.want {
			t.Errorf("%v: %s, want %s", tt.cuts, got, tt.want)
		}
	}
}
