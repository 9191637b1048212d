_base_ = [
    '../_base_/models/pfc_lite0-last-block.py',
    '../_base_/datasets/fashion_scenes_maps.py',
    '../_base_/schedules/multi-label-features_bs32_8e.py',
    '../_base_/runtimes/default_runtime.py',
    '../_base_/methods/multi_label_losses.py',
]

optim_wrapper = dict(type='mmlt.BFloat16OptimWrapper')
# tools/model_converters/efficientnet_lite0.py writes it.
load_from = 'work_dirs/lite0_imagenet.pth'
