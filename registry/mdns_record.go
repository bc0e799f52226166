package registry

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/mdns"
	"github.com/miekg/dns"
)

const (
	mdnsTTL = 120
	// mdnsMaxText is the longest text of a node, inflated: whoever is on the network may send one.
	mdnsMaxText = 64 << 10
	// mdnsMaxPacket is the longest packet that is sent.
	mdnsMaxPacket = 8 << 10
)

// text is what the TXT record of a node says: hex of zlib of this as JSON, in strings of at most 255 bytes.
type text struct {
	Service  string
	Version  string
	Metadata map[string]string
}

func (t text) encode() ([]string, error) {
	var b bytes.Buffer
	w := zlib.NewWriter(hex.NewEncoder(&b))
	if err := json.NewEncoder(w).Encode(t); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	var parts []string
	for part := range slices.Chunk(b.Bytes(), 255) {
		parts = append(parts, string(part))
	}
	return parts, nil
}

func decodeText(parts []string) (t text, err error) {
	r, err := zlib.NewReader(hex.NewDecoder(strings.NewReader(strings.Join(parts, ""))))
	if err != nil {
		return t, err
	}
	b, err := io.ReadAll(io.LimitReader(r, mdnsMaxText+1))
	switch {
	case err != nil:
		return t, err
	case len(b) > mdnsMaxText:
		return t, fmt.Errorf("more than %d bytes", mdnsMaxText)
	}
	return t, json.Unmarshal(b, &t)
}

// recordSet is what is answered for one name.
type recordSet struct {
	name    string   // of the instance, fully qualified
	service string   // the same of the service
	all     []dns.RR // PTR, SRV, A or AAAA, TXT
}

// fullName returns the name of an instance in the form of questions.
func fullName(instance, service, domain string) string {
	return escapeName(instance) + "." + serviceName(service, domain)
}

func serviceName(service, domain string) string {
	return escapeName(service) + "." + strings.Trim(domain, ".") + "."
}

// escapeName escapes what is special in the text form of names. Points go on to separate labels.
func escapeName(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\%03d`, c)
		case strings.IndexByte(`"\();@$`, c) >= 0:
			b.WriteString(`\` + string(rune(c)))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescapeName is the opposite of escapeName.
func unescapeName(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		if i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 10, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		i++
		b.WriteByte(s[i])
	}
	return b.String()
}

// sameName compares names, which may be escaped in different ways.
func sameName(a, b string) bool {
	return a == b || strings.EqualFold(unescapeName(a), unescapeName(b))
}

// instanceOf returns the instance of a full name if it is one of the service.
func instanceOf(name, service, domain string) (string, bool) {
	instance, ok := strings.CutSuffix(unescapeName(name), "."+service+"."+strings.Trim(domain, ".")+".")
	return instance, ok && instance != ""
}

// nodeRecords returns what is answered for a node.
func nodeRecords(ctx context.Context, s *Service, n *Node, domain string) (*recordSet, error) {
	host, portText, err := net.SplitHostPort(n.Address)
	if err != nil {
		return nil, fmt.Errorf("%w: mdns needs a host and a port: %w", ErrInvalidService, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("%w: mdns needs a port, not %q", ErrInvalidService, portText)
	}
	ips := []net.IP{net.ParseIP(host)}
	if ips[0] == nil {
		if ips, err = net.DefaultResolver.LookupIP(ctx, "ip", host); err != nil || len(ips) == 0 {
			return nil, fmt.Errorf("mdns: address of %s: %w", n.Id, err)
		}
	}
	parts, err := text{s.Name, s.Version, n.Metadata}.encode()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidService, err)
	}
	return newRecordSet(fullName(n.Id, s.Name, domain), serviceName(s.Name, domain), ips[0], uint16(port), parts)
}

// listingRecords returns what says that there is a service.
func listingRecords(name, domain string) (*recordSet, error) {
	parts, err := text{Service: name}.encode()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidService, err)
	}
	return newRecordSet(fullName(name, mdnsListing, domain), serviceName(mdnsListing, domain), net.IPv4zero, 9999, parts)
}

func newRecordSet(name, service string, ip net.IP, port uint16, parts []string) (*recordSet, error) {
	if _, ok := dns.IsDomainName(name); !ok {
		return nil, fmt.Errorf("%w: %q is no name for mdns: a label has 63 bytes, all have 255", ErrInvalidService, name)
	}
	header := func(name string, kind uint16) dns.RR_Header {
		return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: mdnsTTL}
	}
	var address dns.RR = &dns.AAAA{Hdr: header(name, dns.TypeAAAA), AAAA: ip}
	if four := ip.To4(); four != nil {
		address = &dns.A{Hdr: header(name, dns.TypeA), A: four}
	}
	r := &recordSet{name: name, service: service, all: []dns.RR{
		&dns.PTR{Hdr: header(service, dns.TypePTR), Ptr: name},
		&dns.SRV{Hdr: header(name, dns.TypeSRV), Priority: 10, Weight: 1, Port: port, Target: name},
		address,
		&dns.TXT{Hdr: header(name, dns.TypeTXT), Txt: parts},
	}}
	b, err := r.message(mdnsTTL).Pack()
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: mdns: %w", ErrInvalidService, err)
	case len(b) > mdnsMaxPacket:
		return nil, fmt.Errorf("%w: %s has %d bytes for mdns, more than %d: metadata are too long", ErrInvalidService, name, len(b), mdnsMaxPacket)
	}
	return r, nil
}

// message returns an answer that nobody asked for: the node is there, or has gone if ttl is 0.
func (r *recordSet) message(ttl uint32) *dns.Msg {
	m := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}, Compress: true}
	for _, rr := range r.all {
		rr = dns.Copy(rr)
		rr.Header().Ttl = ttl
		m.Answer = append(m.Answer, rr)
	}
	return m
}

func (r *recordSet) equal(o *recordSet) bool {
	return slices.EqualFunc(r.all, o.all, func(a, b dns.RR) bool { return a.String() == b.String() })
}

// Records implements mdns.Zone.
func (r *recordSet) Records(q dns.Question) []dns.RR {
	switch {
	case sameName(q.Name, r.service) && (q.Qtype == dns.TypePTR || q.Qtype == dns.TypeANY):
		return r.all
	case !sameName(q.Name, r.name):
		return nil
	case q.Qtype == dns.TypeANY || q.Qtype == dns.TypePTR: // PTR is what clients ask that want the rest
		return r.all[1:]
	}
	return slices.DeleteFunc(slices.Clone(r.all[1:]), func(rr dns.RR) bool { return rr.Header().Rrtype != q.Qtype })
}

// serviceOf returns the node of an answer, if it is one of the service. Anybody may answer anything.
func serviceOf(e *mdns.ServiceEntry, service, domain string) (*Service, bool) {
	id, ok := instanceOf(e.Name, service, domain)
	t, err := decodeText(e.InfoFields)
	if !ok || err != nil || t.Service != service {
		return nil, false
	}
	var host string
	switch {
	case e.AddrV4 != nil:
		host = e.AddrV4.String()
	case e.AddrV6IPAddr != nil:
		host = e.AddrV6IPAddr.String()
	default:
		return nil, false
	}
	n := &Node{Id: id, Address: net.JoinHostPort(host, strconv.Itoa(e.Port)), Metadata: t.Metadata}
	return &Service{Name: service, Version: t.Version, Nodes: []*Node{n}}, true
}
