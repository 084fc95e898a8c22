package upkeep

import (
	"net/url"
	"path"
	"regexp"
	"strings"
)

// StorageKind is the way to a storage.
type StorageKind string

// The kinds of storage.
const (
	FolderStorage StorageKind = "folder" // of this machine
	SFTPStorage   StorageKind = "sftp"   // of another, through SSH
	S3Storage     StorageKind = "s3"     // objects in a bucket
)

// Storage is where the files of a vault are. It holds no credentials.
type Storage struct {
	Kind StorageKind `json:"kind"`
	// Path is the folder: absolute, or below the login's home by SFTP. In a
	// bucket it is what all names begin with, "" for nothing.
	Path string `json:"path"`
	At   Hop    `json:"at,omitzero"` // by SFTP

	Endpoint string `json:"endpoint,omitempty"` // of S3: host or host:port
	Bucket   string `json:"bucket,omitempty"`
	Region   string `json:"region,omitempty"`  // "" asks the endpoint
	Virtual  bool   `json:"virtual,omitempty"` // the bucket is part of the host's name
	Plain    bool   `json:"plain,omitempty"`   // without TLS
}

var (
	endpointName = regexp.MustCompile(`^[A-Za-z0-9\[][A-Za-z0-9.:\[\]-]{0,252}$`)
	bucketName   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	regionName   = regexp.MustCompile(`^[A-Za-z0-9-]{0,63}$`)
)

// ParseStorage reads /folder, sftp://user@host:port/folder or
// s3://endpoint/bucket/prefix?region=R&style=virtual. A folder below the
// login's home is sftp://host/~/folder; s3+http:// does without TLS.
// CodeInvalid says what is wrong.
func ParseStorage(text string) (*Storage, error) {
	if strings.HasPrefix(text, "/") {
		return &Storage{Kind: FolderStorage, Path: path.Clean(text)}, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, noStorage(text)
	}
	if _, has := u.User.Password(); has {
		return nil, Errorf(CodeInvalid, "the address of the storage at %s holds a password", u.Hostname()).
			WithHint("Leave it out: SFTP knows keys only, and those of S3 are asked for.")
	}
	switch u.Scheme {
	case "sftp":
		return parseSFTP(text, u)
	case "s3", "s3+http":
		return parseS3(text, u)
	}
	return nil, noStorage(text)
}

func noStorage(text string) error {
	return Errorf(CodeInvalid, "storage %q: want /folder, sftp://user@host/folder or s3://endpoint/bucket/prefix", text)
}

func parseSFTP(text string, u *url.URL) (*Storage, error) {
	at, err := ParseHop("ssh://" + u.User.String() + "@" + u.Host)
	if u.User == nil {
		at, err = ParseHop("ssh://" + u.Host)
	}
	if err != nil {
		return nil, err
	}
	folder := path.Clean("/" + u.Path)
	if rest, home := strings.CutPrefix(folder, "/~/"); home {
		folder = rest
	}
	if folder == "/" || folder == "/~" || u.RawQuery != "" || u.Fragment != "" {
		return nil, noStorage(text)
	}
	return &Storage{Kind: SFTPStorage, At: at, Path: folder}, nil
}

func parseS3(text string, u *url.URL) (*Storage, error) {
	bucket, prefix, _ := strings.Cut(strings.Trim(path.Clean("/"+u.Path), "/"), "/")
	query := u.Query()
	s := &Storage{Kind: S3Storage, Endpoint: u.Host, Bucket: bucket, Path: prefix, Region: query.Get("region"),
		Virtual: query.Get("style") == "virtual", Plain: u.Scheme == "s3+http"}
	for name, values := range query {
		known := name == "region" || name == "style" && (values[0] == "virtual" || values[0] == "path")
		if !known || len(values) != 1 {
			return nil, Errorf(CodeInvalid, "storage %q: %s is not known", text, name).
				WithHint("Known are region=NAME, style=virtual and style=path.")
		}
	}
	if u.User != nil || u.Fragment != "" || !endpointName.MatchString(s.Endpoint) || !bucketName.MatchString(bucket) || !regionName.MatchString(s.Region) {
		return nil, noStorage(text)
	}
	return s, nil
}

// String writes what ParseStorage reads.
func (s *Storage) String() string {
	switch s.Kind {
	case SFTPStorage:
		folder := s.Path
		if !strings.HasPrefix(folder, "/") {
			folder = "/~/" + folder
		}
		return "sftp://" + s.At.String() + folder
	case S3Storage:
		u := url.URL{Scheme: "s3", Host: s.Endpoint, Path: "/" + path.Join(s.Bucket, s.Path)}
		if s.Plain {
			u.Scheme = "s3+http"
		}
		query := url.Values{}
		if s.Region != "" {
			query.Set("region", s.Region)
		}
		if s.Virtual {
			query.Set("style", "virtual")
		}
		u.RawQuery = query.Encode()
		return u.String()
	}
	return s.Path
}

// Restic is how restic names the same place.
func (s *Storage) Restic() string {
	switch s.Kind {
	case SFTPStorage:
		return "sftp://" + s.At.String() + "/" + s.Path // two slashes before one that is absolute
	case S3Storage:
		scheme := "https"
		if s.Plain {
			scheme = "http"
		}
		return "s3:" + scheme + "://" + s.Endpoint + "/" + path.Join(s.Bucket, s.Path)
	}
	return s.Path
}
