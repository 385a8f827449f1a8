package console

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"noecho/proxy/config"
)

// Role says how much a person may do. Each role may do all that the one before it may.
type Role uint8

// The roles.
const (
	Nobody  Role = iota
	Viewer       // sees pages
	Analyst      // exports, tries rules, writes lists
	Privacy      // looks people and texts up
)

func (r Role) String() string { return [...]string{"", "viewer", "analyst", "privacy"}[r] }

// Access names the people that a console lets in, and their roles.
type Access struct {
	// Local lets everybody in who reaches the console by a loopback address. Set it only if
	// it listens on loopback alone.
	Local bool

	// Token signs people in; empty: nobody can sign in with a token.
	Token []byte

	// Trusted returns the proxies whose headers about people are believed; nil: there are none.
	Trusted func() []netip.Prefix
	Console config.Console
}

// The bounds of sessions and of attempts.
const (
	cookieName   = "noecho_console"
	sessionTime  = 12 * time.Hour
	maxSessions  = 1000
	wrongTokens  = 10 // in a minute
	lookups      = 10 // in a minute, for a person
	maxLimited   = 10_000
	minuteWindow = time.Minute
)

// gate lets people in and counts their attempts. Safe for concurrent use.
type gate struct {
	access Access
	now    func() time.Time
	digest [sha256.Size]byte // of the token

	mu       sync.Mutex
	sessions map[[sha256.Size]byte]time.Time // ends, by the digest of the cookie
	spent    map[string]attempts
}

// attempts counts the attempts of one name since a time.
type attempts struct {
	since time.Time
	n     int
}

func newGate(access Access, now func() time.Time) *gate {
	return &gate{access: access, now: now, digest: sha256.Sum256(access.Token), sessions: map[[sha256.Size]byte]time.Time{}, spent: map[string]attempts{}}
}

// person is one who uses the console.
type person struct {
	User string
	Role Role
	Via  string // loopback, token or proxy; empty: nobody
}

// strange returns a reason to refuse a request because of the page that sent it: one of another
// site, or one whose site has its own name resolved to the address of the console. The headers
// of such a page prove nothing, and on loopback there are no sessions.
func (g *gate) strange(r *http.Request) string {
	host := hostOnly(r.Host)
	switch {
	case host == "localhost" || net.ParseIP(host).IsLoopback() || slices.Contains(g.access.Console.Hosts, host):
	case g.access.Console.UserHeader != "":
		return "ask for the console by one of the names in admin.console.hosts"
	case g.access.Local:
		return "ask for the console by a loopback address"
	}
	if site := r.Header.Get("Sec-Fetch-Site"); strings.HasPrefix(r.URL.Path, api) && (site == "cross-site" || site == "same-site") {
		return "this request comes from a page of another site"
	}
	return ""
}

func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}

// closed returns the reason for which the form to sign in is of no use; empty: it is of use.
func (g *gate) closed() string {
	if g.access.Local || len(g.access.Token) > 0 || g.access.Console.UserHeader != "" {
		return ""
	}
	return "set admin.token_file to open the console beyond loopback"
}

// person returns the one who makes a request.
func (g *gate) person(r *http.Request) person {
	if name := g.access.Console.UserHeader; name != "" && g.trusts(r.RemoteAddr) {
		if user := r.Header.Get(name); user != "" {
			return person{user, g.role(r.Header.Values(g.access.Console.GroupsHeader)), "proxy"}
		}
	}
	if g.access.Local && len(g.access.Token) == 0 && g.access.Console.UserHeader == "" {
		return person{"", Privacy, "loopback"}
	}
	if cookie, err := r.Cookie(cookieName); err == nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		if end, ok := g.sessions[sha256.Sum256([]byte(cookie.Value))]; ok && g.now().Before(end) {
			return person{"", Privacy, "token"}
		}
	}
	return person{}
}

// trusts reports whether an address is one of a trusted proxy.
func (g *gate) trusts(remote string) bool {
	return g.access.Trusted != nil && config.Trusts(g.access.Trusted(), hostOnly(remote))
}

// role returns the highest role that the groups of a person have.
func (g *gate) role(headers []string) (role Role) {
	c := &g.access.Console
	for _, header := range headers {
		for group := range strings.SplitSeq(header, ",") {
			group = strings.TrimSpace(group)
			for i, groups := range [][]string{c.Viewers, c.Analysts, c.Privacy} {
				if group != "" && slices.Contains(groups, group) {
					role = max(role, Role(i+1))
				}
			}
		}
	}
	return role
}

// spend counts an attempt under a name. It returns false, and the time to wait, if there were
// most of them within a minute.
func (g *gate) spend(name string, most int) (wait time.Duration, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if len(g.spent) >= maxLimited {
		for other, a := range g.spent {
			if now.Sub(a.since) >= minuteWindow {
				delete(g.spent, other)
			}
		}
	}
	a := g.spent[name]
	if now.Sub(a.since) >= minuteWindow {
		a = attempts{since: now}
	}
	if a.n >= most || len(g.spent) >= maxLimited && a.n == 0 {
		return a.since.Add(minuteWindow).Sub(now), false
	}
	a.n++
	g.spent[name] = a
	return 0, true
}

// signIn compares a token and returns the value of a new cookie.
func (g *gate) signIn(token string) (cookie string, ok bool) {
	got := sha256.Sum256([]byte(token))
	if len(g.access.Token) == 0 || subtle.ConstantTimeCompare(got[:], g.digest[:]) != 1 {
		return "", false
	}
	cookie = rand.Text()
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	oldest := [sha256.Size]byte{}
	for id, end := range g.sessions {
		switch first, known := g.sessions[oldest]; {
		case !now.Before(end):
			delete(g.sessions, id)
		case !known || end.Before(first):
			oldest = id
		}
	}
	if len(g.sessions) >= maxSessions {
		delete(g.sessions, oldest)
	}
	g.sessions[sha256.Sum256([]byte(cookie))] = now.Add(sessionTime)
	return cookie, true
}

// signOut ends the session of a request.
func (g *gate) signOut(r *http.Request) {
	if cookie, err := r.Cookie(cookieName); err == nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.sessions, sha256.Sum256([]byte(cookie.Value)))
	}
}

// setCookie sets or, with an empty value, deletes the cookie of a session.
func setCookie(w http.ResponseWriter, r *http.Request, value string) {
	age := int(sessionTime / time.Second)
	if value == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/console/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
}

// client returns the address of a request without its port: the one that the trusted proxies had
// it from, if the peer is one of them.
func (g *gate) client(r *http.Request) string {
	peer := hostOnly(r.RemoteAddr)
	if !g.trusts(r.RemoteAddr) {
		return peer
	}
	return cmp.Or(config.Forwarded(g.access.Trusted(), r.Header.Values("X-Forwarded-For")), peer)
}

func answerLogin(c *Console, w http.ResponseWriter, r *http.Request) {
	var body struct {
		Token string `json:"token"`
	}
	if err := readBody(w, r, 16<<10, &body); err != nil {
		refuseFault(w, err)
		return
	}
	if wait, ok := c.access.spend("token "+c.access.client(r), wrongTokens); !ok {
		tooMany(w, wait)
		return
	}
	cookie, ok := c.access.signIn(strings.TrimSpace(body.Token))
	if !ok {
		refuse(w, http.StatusUnauthorized, cmp.Or(c.access.closed(), "this is not the token of admin.token_file"))
		return
	}
	setCookie(w, r, cookie)
	w.WriteHeader(http.StatusNoContent)
}

func answerLogout(c *Console, w http.ResponseWriter, r *http.Request) {
	c.access.signOut(r)
	setCookie(w, r, "")
	w.WriteHeader(http.StatusNoContent)
}
