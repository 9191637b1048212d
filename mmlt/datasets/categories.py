"""Categories of data sets, for whoever needs them without MMDetection."""

# Fashion-Scenes: category k is garment k // 6 in colour k % 6.
GARMENTS = (
    't-shirt',
    'trouser',
    'pullover',
    'dress',
    'coat',
    'sandal',
    'shirt',
    'sneaker',
    'bag',
    'ankle_boot',
)
COLOURS = {  # RGB
    'red': (205, 45, 45),
    'yellow': (225, 200, 50),
    'green': (60, 165, 70),
    'blue': (55, 90, 210),
    'purple': (150, 65, 180),
    'white': (235, 235, 230),
}
FASHION_SCENES_CATEGORIES = tuple(
    f'{colour}_{garment}' for garment in GARMENTS for colour in COLOURS
)
