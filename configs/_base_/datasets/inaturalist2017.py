# iNaturalist 2017: 579,184 training images of 5,089 species.
_base_ = './inaturalist2018.py'

data_root = 'data/inaturalist2017/'
data_preprocessor = dict(num_classes=5089)

train_dataloader = dict(
    dataset=dict(data_root=data_root, ann_file='train2017.json')
)
val_dataloader = dict(
    dataset=dict(data_root=data_root, ann_file='val2017.json')
)
test_dataloader = val_dataloader
