"""Names and numbers shared by the voxel phantoms: bones and their parts, soft tissue by uptake, joints."""

from __future__ import annotations

NONE = 255  # code of what is not bone, or not tissue

# First ICRP 110 organ number of each bone, and what each of its numbers is: cortical, spongiosa, marrow, gristle.
BONES = {
    "humerus": (13, "csmcsm"),
    "forearm": (19, "csm"),
    "hand": (22, "cs"),
    "clavicle": (24, "cs"),
    "cranium": (26, "cs"),
    "femur": (28, "csmcsm"),
    "tibia": (34, "csm"),
    "foot": (37, "cs"),
    "mandible": (39, "cs"),
    "pelvis": (41, "cs"),
    "ribs": (43, "cs"),
    "scapula": (45, "cs"),
    "cervical": (47, "cs"),
    "thoracic": (49, "cs"),
    "lumbar": (51, "cs"),
    "sacrum": (53, "cs"),
    "sternum": (55, "cs"),
    "cartilage": (57, "gggg"),
}
NAMES, PARTS = tuple(BONES), "csmg"
INDEX = {name: index for index, name in enumerate(NAMES)}

# Soft tissue by uptake, as ICRP 110 organ numbers; "soft" is whatever else is not air.
TISSUES = {
    "soft": (),
    "fat": (*range(116, 120), *range(122, 126)),
    "brain": (61,),
    "lung": tuple(range(96, 100)),
    "liver": (95,),
    "spleen": (127,),
    "blood": (9, 10, 87, 88),
    "kidney": tuple(range(89, 95)),
    "bladder": (137, 138),
    "thyroid": (132,),
    "nose": (3, 4),
}
KINDS = tuple(TISSUES)
AIR = (0, 140, 141)  # outside, inside, and the plates of skin that close the first and the last slice

JOINTS = (  # bones that meet, and how far (mm) wear or growth reaches from the other bone
    ("humerus", "scapula", 14),
    ("scapula", "humerus", 12),
    ("clavicle", "scapula", 9),
    ("clavicle", "sternum", 10),
    ("sternum", "clavicle", 9),
    ("humerus", "forearm", 12),
    ("forearm", "humerus", 10),
    ("forearm", "hand", 10),
    ("hand", "forearm", 10),
    ("pelvis", "femur", 9),
    ("femur", "pelvis", 8),
    ("femur", "tibia", 12),
    ("tibia", "femur", 11),
    ("tibia", "foot", 10),
    ("foot", "tibia", 12),
    ("pelvis", "sacrum", 9),
    ("sacrum", "pelvis", 9),
    ("lumbar", "sacrum", 10),
    ("thoracic", "ribs", 5),
    ("ribs", "cartilage", 5),
    ("cervical", "thoracic", 12),
    ("mandible", "cranium", 10),
)
