"""Takes the digests of TestGolden with Pillow, of a version with libjpeg-turbo.

    mkdir /tmp/files && go test ./formats/jpeg -run TestGolden -write /tmp/files
    python3 formats/jpeg/testdata/golden.py /tmp/files > formats/jpeg/testdata/golden.txt
"""

import hashlib
import pathlib
import sys

from PIL import Image, features

assert features.check("libjpeg_turbo")
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    pixels = Image.open(path).convert("RGB").tobytes()
    print(hashlib.sha256(pixels).hexdigest()[:16], path.name)
