# Initialisation of box heads with a sigmoid for each class: all start at
# 0.001, or the negatives of a thousand classes would be all of the first loss.
sigmoid_boxes = [
    dict(
        type='Normal',
        std=0.01,
        bias_prob=0.001,
        override=dict(name='fc_cls'),
    ),
    dict(type='Normal', std=0.001, override=dict(name='fc_reg')),
]
