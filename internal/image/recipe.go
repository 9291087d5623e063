package image

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"runtime"
)

//go:embed files
var files embed.FS

// recipe is everything that decides an image's content, apart from the
// versions that the archive offers on the day.
type recipe struct {
	ID       string
	OSTag    string
	Suite    string
	Arch     string
	Packages []string
	Exclude  []string // patterns of paths that packages do not install
	Include  []string // exceptions from Exclude
	Files    []file
	Dirs     []dir
	Links    []link
	Remove   []string // patterns of what packages left behind: identity, keys, caches
	Empty    []string // directories to empty
	Epoch    int64    // times of files, in seconds, for equal images from equal packages
	Version  int      // raised when finishing changes in a way that the lists do not show
}

type file struct {
	Path string
	Mode uint32
	Text string
}

type dir struct {
	Path string
	Mode uint32
}

type link struct{ Path, Target string }

// hash names the recipe; an image is made anew when it changes.
func (r recipe) hash() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and numbers only
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])[:12]
}

func embedded(name string) string {
	text, err := files.ReadFile("files/" + name)
	if err != nil {
		panic(err) // a file of our own is missing from the program
	}
	return string(text)
}

// debian12 is the node image: Slurm, MPI, LAMMPS and what a node needs to be
// looked after, on the smallest Debian 12.
func debian12() recipe {
	return recipe{
		ID: "debian12-ehpc", OSTag: "Debian_12_64", Suite: "bookworm", Arch: runtime.GOARCH,
		Packages: []string{
			"ca-certificates", "iproute2", "libnss-extrausers", "munge", "openssh-server",
			"procps", "s6", "sudo",
			"slurm-client", "slurm-wlm-basic-plugins", "slurm-wlm-jwt-plugin",
			"slurmctld", "slurmd", "slurmrestd",
			"lammps", "openmpi-bin",
		},
		Exclude: []string{"/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/info/*"},
		Include: []string{"/usr/share/doc/*/copyright", "/usr/share/locale/locale.alias"},
		Files: []file{
			{"etc/nsswitch.conf", 0o644, embedded("nsswitch.conf")},
			{"etc/sudoers.d/wheel", 0o440, embedded("sudoers-wheel")},
			{"usr/sbin/policy-rc.d", 0o755, embedded("policy-rc.d")},
			{"service/agent/run", 0o755, embedded("service-agent-run")},
			{"service/agent/log/run", 0o755, embedded("service-agent-log-run")},
			{"etc/machine-id", 0o444, ""},
			{"etc/resolv.conf", 0o644, ""},
			{"etc/hosts", 0o644, ""},
		},
		Dirs: []dir{
			{"service", 0o755}, {"service/agent", 0o755}, {"service/agent/log", 0o755},
			{"ehpc", 0o755}, {"ehpc/bin", 0o755}, {"ehpc/link", 0o755},
			{"ehpc/state", 0o755}, {"ehpc/claims", 0o755},
			{"var/lib/ehpc", 0o700}, {"var/log/ehpc", 0o750}, {"var/log/ehpc/agent", 0o750},
			{"var/lib/extrausers", 0o755}, {"etc/slurm", 0o755},
		},
		// Slurm's pmix plugin loads libpmix.so, which Debian ships without its
		// development link: every srun would fail with "Invalid MPI type 'pmix'".
		Links: []link{{"usr/lib/" + libraryDir() + "/pmix2/lib/libpmix.so", "libpmix.so.2"}},
		Remove: []string{
			"etc/munge/munge.key", "etc/ssh/ssh_host_*", "etc/hostname", "etc/resolv.conf", "etc/hosts", "etc/machine-id",
			"var/lib/dbus/machine-id", "etc/*-",
			"etc/apt/sources.list", "etc/apt/sources.list.d/*", "etc/apt/apt.conf.d/99mmdebstrap", "etc/apt/auth.conf.d/*",
			"var/cache/ldconfig/aux-cache", "var/cache/debconf/*-old", "var/lib/dpkg/*-old",
		},
		Empty:   []string{"dev", "run", "tmp", "var/tmp", "var/log", "var/lib/apt/lists", "var/cache/apt"},
		Epoch:   1_700_000_000,
		Version: 1,
	}
}

// libraryDir is Debian's name for the folder of this architecture's libraries.
func libraryDir() string {
	if runtime.GOARCH == "arm64" {
		return "aarch64-linux-gnu"
	}
	return "x86_64-linux-gnu"
}
