package peers

// Features returns DMicro with one thing switched on at a time, to show what each costs. The first is the plain one.
func Features() []Peer {
	return []Peer{
		variant{}.peer("plain", "nothing switched on: raw protocol, protobuf body", Ours),
	}
}
