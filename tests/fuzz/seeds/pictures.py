"""Pictures of every kind that decoders tell apart, small. Needs Pillow (made with 13.0.0): python pictures.py"""

from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
SIZE = (40, 28)

grey = Image.frombytes("L", SIZE, bytes(230 - 200 * (8 < x < 30 and (x - y) % 9 < 3) for y in range(28) for x in range(40)))
rgb = Image.merge("RGB", [grey, grey.rotate(180), grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT)])
exif = Image.Exif()
exif[0x0112] = 6  # turned by 90 degrees

rgb.save(HERE / "baseline.jpg", quality=80, exif=exif)
rgb.save(HERE / "progressive.jpg", quality=80, progressive=True, optimize=True)
rgb.save(HERE / "subsampled.jpg", quality=60, subsampling="4:2:0", restart_marker_blocks=2)
rgb.convert("CMYK").save(HERE / "cmyk.jpg", quality=80)
grey.save(HERE / "grey.jpg", quality=80)

rgb.save(HERE / "rgb.png", icc_profile=b"profile" * 20)
rgb.quantize(16).save(HERE / "palette.png", transparency=3)
Image.merge("RGBA", [*rgb.split(), grey]).save(HERE / "alpha.png")
grey.point(lambda value: value > 128 and 255, "1").save(HERE / "bits.png")
Image.frombytes("I;16", SIZE, grey.tobytes() + grey.tobytes()).save(HERE / "sixteen.png")
