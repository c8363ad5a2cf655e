"""Suggestions for unknown words."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache

# Words of Keras, PyTorch, scikit-learn and textbooks, by the names that nnrun has for them.
#
# Words are looked up without case, `-`, `_` and blanks. Of the names of a word, the first that is
# valid at that place is taken, so that one table serves keys and names alike.

SYNONYMS: dict[str, str] = {
    # keys of training
    "learning_rate": "lr eta eta0 alpha learning_rate_init step_size",
    "every": "step_size decay_steps",
    "batch_size": "batch minibatch minibatch_size bs",
    "iterations": "steps max_steps num_steps updates",
    "epochs": "n_iter max_iter n_epochs num_epochs max_epochs nb_epoch",
    "optimizer": "solver optim",
    "sampling": "shuffle",
    "dtype": "precision",
    "clip_norm": "gradient_clip clip clipnorm max_norm grad_clip",
    "class_weight": "pos_weight imbalance class_imbalance scale_pos_weight",
    "weight": "sample_weight",
    "engine": "backend",
    "evaluate_every": "eval_every eval_interval validation_freq",
    "patience": "n_iter_no_change",
    "restore_best": "restore_best_weights",
    "augment": "augmentation data_augmentation transforms",
    "average": "averaging weight_averaging model_averaging moving_average polyak use_ema swa",
    "ema": "ema_decay ema_momentum decay",
    "flip": "horizontal_flip",
    "rotate": "rotation_range degrees",
    "shift": "translate",
    # of optimizers and schedules
    "weight_decay": "decay l2_penalty l2_regularization regularisation",
    "beta1": "beta_1",
    "beta2": "beta_2",
    "beta": "rho alpha",
    "epsilon": "eps",
    "nesterov": "nesterovs_momentum",
    "factor": "gamma decay_rate",
    "rate": "decay_rate p prob",
    "over": "decay_steps t_max",
    "initial": "initial_learning_rate",
    "final": "eta_min",
    # of the data set
    "seed": "random_state random_seed rng_seed",
    "test_size": "train_test_split test_split test_fraction",
    "folds": "n_splits n_folds k_folds kfold cv cross_validation",
    "split": "groups group_column",
    "validation_size": "validation_split validation_fraction val_size val_split",
    "calibration_size": "calibration_split calibration_fraction calib_size conformal_size",
    "path": "csv file filename filepath",
    "images": "image_folder image_dir",
    "folder": "directory",
    "size": "image_size pool_size",
    "mode": "color_mode",
    "channel_axis": "data_format",
    "features": "scale scaler normalize standardize scaling preprocessing",
    "target": "target_column label label_column",
    "drop": "drop_columns",
    "dataset": "data",
    # of the network
    "network": "model architecture",
    "sizes": "hidden_layer_sizes hidden_layers hidden_sizes",
    "loss": "criterion objective loss_function",
    "initializer": "kernel_initializer weight_init init",
    # of losses
    "label_smoothing": "smoothing smooth_labels",
    # of layers
    "channels": "filters out_channels",
    "units": "neurons out_features nodes width filters",
    "kernel": "kernel_size filter_size",
    "stride": "strides",
    "bias": "use_bias",
    "activation": "activation_function nonlinearity",
    # losses
    "mean_squared": "mse mean_squared_error mseloss squared_error l2loss",
    "mse": "mean_squared_error",
    "mean_absolute": "mae mean_absolute_error l1loss absolute_error",
    "mae": "mean_absolute_error",
    "pinball": "quantile quantile_loss mean_pinball_loss",
    "huber": "smooth_l1 smoothl1loss huberloss",
    "cross_entropy": (
        "ce crossentropyloss categorical_crossentropy sparse_categorical_crossentropy "
        "log_loss nll nllloss softmax_cross_entropy"
    ),
    "binary_cross_entropy": "bce bceloss bcewithlogitsloss logistic_loss",
    # activations
    "sigmoid": "logistic sigm expit",
    "relu": "rectifier",
    "leaky_relu": "lrelu prelu",
    "silu": "swish",
    "hard_tanh": "hardtanh hard_tangent clipped_linear",
    "elu": "selu",
    "tanh": "hyperbolic_tangent",
    "linear": "identity none",
    # layers
    "dense": "linear fully_connected fc affine",
    "conv2d": "conv convolution conv2",
    "conv1d": "conv1 convolution1d",
    "max_pool2d": "maxpool maxpooling2d pool",
    "max_pool1d": "maxpooling1d maxpool1",
    "avg_pool2d": "avgpool averagepooling2d meanpool",
    "global_avg_pool": "gap globalaveragepooling2d adaptive_avg_pool2d",
    "batch_norm": "bn batchnorm1d batchnorm2d batch_normalization normalisation normalization",
    "dropout": "regularisation",
    "residual": "skip",
    "flatten": "reshape",
    # optimizers
    "adam": "nadam adagrad amsgrad",
    "sgd": "gd gradient_descent momentum",
    # initializers
    "glorot_uniform": "xavier xavier_uniform glorot",
    "glorot_normal": "xavier_normal",
    "he_normal": "kaiming kaiming_normal he",
    "he_uniform": "kaiming_uniform",
    "lecun_normal": "lecun",
    "uniform": "random_uniform",
    "normal": "random_normal gaussian",
    "truncated_normal": "trunc_normal",
    "zeros": "zero",
    # schedules
    "step": "steplr",
    "exponential": "exponentiallr exponential_decay",
    "cosine": "cosine_annealing cosine_decay",
    "inverse_time": "invscaling",
    "one_cycle": "onecyclelr",
    "reduce_on_plateau": "reducelronplateau plateau",
    "cosine_restarts": "cosine_annealing_warm_restarts sgdr",
    "warmup_cosine": "warmup",
    # preparation and data types
    "standard": "standardscaler zscore",
    "minmax": "minmaxscaler",
    "robust": "robustscaler",
    "quantile": "quantiletransformer",
    "l2": "normalizer",
    "float64": "float double",
    "float32": "float single",
    "with_replacement": "random replacement",
    "compiled": "numba",
    # metrics
    "roc_auc": "auc auroc roc_auc_score roc_auc_ovr",
    "average_precision": "ap pr_auc average_precision_score",
    "balanced_accuracy": "balanced_accuracy_score",
    "f1_binary": "f1 f1_score",
    "mcc": "matthews matthews_corrcoef",
    "cohen_kappa": "kappa",
    "log_loss": "neg_log_loss",
    "brier": "brier_score brier_score_loss neg_brier_score",
    "top_2_accuracy": "top_k_accuracy",
    "rmse": "root_mean_squared_error",
    "median_ae": "median_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "pinball_90": "mean_pinball_loss",
    "r2": "r2_score r²",
    "spearman": "spearmanr",
    # data sets
    "boston": "boston_housing",
    "california": "california_housing",
    "autompg": "mpg",
    "breast_cancer": "cancer",
    "fashion_mnist": "fashion",
}
"""For each name of nnrun, the words of other libraries that mean it, separated by blanks."""


MAX_LISTED = 24
PLUGINS = "; --plugin FILE.py adds others"
# From this similarity on, a word counts as misspelt.
_SURE = 0.8


def nearest(word: object, names: Iterable[str]) -> str | None:
    """The name that this word most likely stands for."""
    if not isinstance(word, str):
        return None
    by_folded = {_fold(name): name for name in names}
    folded = _fold(word)
    if folded in by_folded:
        return by_folded[folded]
    meant = synonym(word, by_folded.values())
    if meant is not None:
        return meant
    close = get_close_matches(folded, by_folded, n=1, cutoff=0.65)
    return by_folded[close[0]] if close else None


def is_slip(word: str, names: Iterable[str]) -> bool:
    """Whether the word is one of these names, a synonym of one, or nearly spelt like one."""
    near = nearest(word, names := tuple(names))
    if near is None:
        return False
    sure = _fold(near) == _fold(word) or synonym(word, names) == near
    return sure or bool(get_close_matches(_fold(word), [_fold(near)], cutoff=_SURE))


def synonym(word: str, names: Iterable[str]) -> str | None:
    """The name among these that this word is a synonym of."""
    known = set(names)
    return next((name for name in _synonyms().get(_fold(word), ()) if name in known), None)


@cache
def _synonyms() -> dict[str, list[str]]:
    """The names of nnrun by the words of others."""
    found: dict[str, list[str]] = {}
    for name, words in SYNONYMS.items():
        for word in words.split():
            found.setdefault(_fold(word), []).append(name)
    return found


def suggestion(word: object, names: Iterable[str]) -> str:
    """The end of a sentence: `; did you mean 'sigmoid'?`, or else what names there are."""
    names = tuple(names)
    near = nearest(word, names)
    if near is not None:
        return f"; did you mean '{near}'?"
    if not names or len(names) > MAX_LISTED:
        return ""
    return f" ({'only' if len(names) == 1 else 'one of'} {', '.join(names)})"


def _fold(word: str) -> str:
    """Spellings that differ only in case or in `-`, `_`, blanks are the same word."""
    return word.lower().replace("-", "").replace("_", "").replace(" ", "")


def part_suggestion(word: object, names: Iterable[str]) -> str:
    """Likewise of names that plugins add to."""
    names = tuple(names)
    unknown = isinstance(word, str) and nearest(word, names) is None
    return suggestion(word, names) + PLUGINS * unknown
