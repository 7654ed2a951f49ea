"""Allowed TensorFlow operators in Keras 2 models: tensor arithmetic without reading, writing or executing anything."""

from __future__ import annotations

_MATH = """
abs add add_n argmax argmin ceil cos count_nonzero cumsum divide divide_no_nan equal erf exp expm1 floor floordiv floormod
greater greater_equal is_finite is_inf is_nan l2_normalize less less_equal log log1p log_sigmoid log_softmax logical_and
logical_not logical_or logical_xor maximum minimum mod multiply multiply_no_nan negative not_equal pow reciprocal reduce_all
reduce_any reduce_euclidean_norm reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_std reduce_sum
reduce_variance rint round rsqrt scalar_mul sigmoid sign sin softmax softplus softsign sqrt square squared_difference subtract
tan tanh top_k truediv xdivy
"""

_NN = """
avg_pool avg_pool2d batch_normalization bias_add conv2d convolution crelu depth_to_space depthwise_conv2d dropout elu gelu
l2_normalize leaky_relu local_response_normalization log_softmax max_pool max_pool2d moments normalize_moments relu relu6 selu
separable_conv2d sigmoid silu softmax softplus softsign space_to_depth swish tanh top_k
"""

_IMAGE = """
adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation central_crop convert_image_dtype crop_and_resize
crop_to_bounding_box flip_left_right flip_up_down grayscale_to_rgb hsv_to_rgb pad_to_bounding_box per_image_standardization
resize resize_with_crop_or_pad resize_with_pad rgb_to_grayscale rgb_to_hsv rgb_to_yiq rgb_to_yuv rot90 sobel_edges
total_variation transpose yiq_to_rgb yuv_to_rgb
"""

_ROOT = """
abs add add_n argmax argmin argsort batch_to_space boolean_mask broadcast_dynamic_shape broadcast_static_shape broadcast_to cast
clip_by_norm clip_by_value concat constant convert_to_tensor cos cumsum divide einsum ensure_shape equal exp expand_dims eye
fill floor gather gather_nd greater greater_equal identity identity_n less less_equal linspace logical_and logical_not
logical_or matmul maximum meshgrid minimum multiply negative norm not_equal one_hot ones ones_like pad pow range rank realdiv
reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_sum repeat reshape reverse roll
round saturate_cast scalar_mul searchsorted shape shape_n sigmoid sign sin size slice sort space_to_batch split sqrt square
squeeze stack stop_gradient strided_slice subtract tan tanh tensordot tile transpose truediv truncatediv truncatemod unstack
where zeros zeros_like
"""

_OPERATORS = "add eq getitem ne"

_LINALG = "einsum l2_normalize matmul matrix_transpose norm normalize tensordot"

_FOLDERS = {"": _ROOT, "math.": _MATH, "nn.": _NN, "image.": _IMAGE, "__operators__.": _OPERATORS, "linalg.": _LINALG}

SAFE_OPERATORS = frozenset(
    version + folder + name for version in ("", "compat.v1.") for folder, names in _FOLDERS.items() for name in names.split()
)
"""Public TensorFlow names, as Keras 2 writes them in a `TFOpLambda` layer."""
