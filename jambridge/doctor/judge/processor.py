"""How many musicians and pixels this machine carries, from what its work was measured to take. Pure.

Light is one process: it may take most of one core and no more. What WebRTC takes is not measured but estimated, from
how quick Python is here beside the machine on which a mesh of four was.
"""

from dataclasses import dataclass

from jambridge.doctor.finding import Finding, good, warning

PROCESSOR, LOAD = "processor", "load"
FRAMES_PER_S = 60
MOST_PEERS = 3
MOST_PIXELS = 16_384
ONE_CORE = 0.6
"""Share of a core that the light process may take, and still be in time."""
ALL_CORES = 0.7
PEER_CORES = 0.065
"""Of a musician, lights off: 0.19-0.21 core for three (`scripts/bench sound 40 mesh`)."""
LOOP_S = 0.0134
"""What the probe's loop of Python took on that machine."""
_FASTER = "a faster machine (a Raspberry Pi 4 or 5), webrtc.max_peers: {}, or light.mode: off"
_GOVERNOR = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of processor time: of finding one musician's notes in a frame, of drawing and sending a frame of light
    and each of its pixels, and of the loop of Python.
    """

    detector_s: float
    frame_s: float
    pixel_s: float
    loop_s: float


@dataclass(frozen=True, slots=True)
class Machine:
    """`load`: how many programs wanted to run, on average over the last five minutes."""

    cores: int
    load: float
    governor: str


def processor(costs: Costs, machine: Machine, wanted_peers: int) -> Finding:
    peers = max((peers for peers in range(MOST_PEERS + 1) if _fits(costs, machine, peers, 0)), default=0)
    pixels = most_pixels(costs, machine, min(peers, wanted_peers))
    used = light_cores(costs, wanted_peers, 300) + sound_cores(costs, wanted_peers)
    others = f"{min(peers, wanted_peers)} other musician{'' if min(peers, wanted_peers) == 1 else 's'}"
    carried = f"carries {others} and {pixels} pixels at {FRAMES_PER_S} a second"
    reason = f"{carried}; {wanted_peers} and 300 take about {used:.2f} of {machine.cores} cores"
    if peers < wanted_peers:
        return warning(PROCESSOR, f"{reason}: too slow for {wanted_peers}", _FASTER.format(max(peers, 1)))
    return good(PROCESSOR, reason)


def load(machine: Machine) -> list[Finding]:
    """Nothing, where nothing else takes the processor."""
    found = []
    if machine.load > machine.cores:
        reason = f"other programs keep it busy: a load of {machine.load:.1f} on {machine.cores} cores"
        found.append(warning(LOAD, reason, "top shows which; end what is not needed while you play"))
    if machine.governor == "powersave":
        found.append(warning(LOAD, "the processor saves power, and wakes up late", _GOVERNOR))
    return found


def most_pixels(costs: Costs, machine: Machine, peers: int) -> int:
    """In steps of ten, 0 where not even the musicians fit."""
    fitting = (pixels for pixels in range(MOST_PIXELS, 0, -10) if _fits(costs, machine, peers, pixels))
    return next(fitting, 0) // 10 * 10


def light_cores(costs: Costs, peers: int, pixels: int) -> float:
    """Of `peers` and the line-in, which is lit as well."""
    return FRAMES_PER_S * ((peers + 1) * costs.detector_s + costs.frame_s + pixels * costs.pixel_s)


def sound_cores(costs: Costs, peers: int) -> float:
    return PEER_CORES * peers * costs.loop_s / LOOP_S


def _fits(costs: Costs, machine: Machine, peers: int, pixels: int) -> bool:
    light = light_cores(costs, peers, pixels)
    return light <= ONE_CORE and light + sound_cores(costs, peers) <= ALL_CORES * machine.cores
