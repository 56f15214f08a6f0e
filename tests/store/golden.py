"""The session of the persistence story's tests: D minor at 140, harmonic, two modules, a keyboard and a strip."""

from jambridge.strict_json import JsonObject

PIANO: JsonObject = {
    "instanceId": "piano-1",
    "moduleId": "piano-roll",
    "label": "Piano Roll",
    "color": "bg-purple-500",
    "settings": {"gridSize": 64, "noteRange": {"low": "C2", "high": "C7"}, "velocity": 0.9},
}
GUITAR: JsonObject = {
    "instanceId": "guitar-1",
    "moduleId": "guitar-fretboard",
    "label": "Guitar Fretboard",
    "color": "bg-amber-500",
}
ISOMETRIC: JsonObject = {
    "instanceId": "isometric-1",
    "moduleId": "isometric-sequencer",
    "label": "Isometric Sequencer",
    "color": "bg-teal-500",
}
MUSIC: JsonObject = {
    "tempo": 140,
    "key": "D",
    "scale": "minor",
    "colorMode": "harmonic",
    "masterVolume": 0.8,
    "isPlaying": False,
}
STUDIO: JsonObject = {"loadedModules": [PIANO, GUITAR], "activeModuleId": "guitar-1"}
STRIP: JsonObject = {"id": "a4cf12ffee01", "name": "Studio Lights", "ip": "192.168.1.100"}
HARDWARE: JsonObject = {
    "midi": {"inputDevice": "MIDI Keyboard", "outputDevice": None, "connected": True},
    "wled": {"devices": [STRIP], "activeDeviceId": "a4cf12ffee01"},
}
GOLDEN: JsonObject = {
    "music": MUSIC,
    "studio": STUDIO,
    "hardware": HARDWARE,
    "metadata": {
        "participantCount": 1,
        "totalStateChanges": 0,
        "durationMinutes": 0,
        "updatedAt": "2026-11-21T09:00:00.000000+00:00",
        "revision": 1,
    },
}
